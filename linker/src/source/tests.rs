//! Tests of the whole way from a tree to its facts.
