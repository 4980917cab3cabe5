//! A matcher over made-up code and source, for the tests of the rules.

use super::{
    StrategySet,
    graph::{Binary, Named, Node, Source},
    matcher::{Known, Matcher},
    shape::Shapes,
};
use crate::{
    code::{Code, Options},
    kernel::Kernel,
    signatures::{self, SourceFacts},
};

/// Does something with a matcher that knows nothing yet but this kernel, and this
/// source in the form of the signatures.
pub(super) fn with_matcher(kernel: &Kernel, source: &str, test: impl FnOnce(&mut Matcher)) {
    let era = signatures::read(source).expect("signatures");
    let facts = SourceFacts::of(vec![era]);
    let source = Source::of(&facts);
    let code = Code::analyse(kernel, &Options::default());
    let binary = Binary::of(&code, &source);
    let known = Known {
        shapes: Shapes::of(kernel, &facts, &source, &binary),
        sights: Default::default(),
        assembly: Default::default(),
    };
    let mut matcher = Matcher::new(kernel, &source, &binary, known, StrategySet::ALL);
    test(&mut matcher);
}

/// A name that the source has.
pub(super) fn named(matcher: &Matcher, name: &str) -> Named {
    matcher.source.named(name).expect("a name of the source")
}

/// The function at an address.
pub(super) fn place(matcher: &Matcher, address: u32) -> Node {
    matcher.binary.at(address).expect("a function")
}
