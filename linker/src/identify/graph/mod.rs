//! Two graphs to be matched: the functions and variables of the source, and
//! those of the binary.

mod binary;
mod source;

pub(super) use binary::{Binary, BinaryNode, Node, Place};
pub(super) use source::{Fact, Link, Named, Source, SourceNode, linked};
