//! rehost
