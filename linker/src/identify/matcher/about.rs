//! What is the same for a name whatever the place that it is compared with.

use super::{Matcher, Named, Node};
use crate::identify::{Strategy, arguments, relation};

/// What is known about a name at the moment, whatever the place that it is compared with.
pub(super) struct About {
    pub named: Named,
    pub neighbours: relation::Neighbours,
    pub passed: Vec<arguments::Passed>,
    /// The place that does nothing but jump, and where to.
    pub handed_on: Option<(Node, Node)>,
}

impl About {
    pub(super) fn of(matcher: &Matcher, named: Named) -> Self {
        Self {
            named,
            neighbours: relation::Neighbours::of(matcher, named),
            passed: match matcher.set.has(Strategy::Arguments) {
                true => arguments::passed(matcher, named),
                false => Vec::new(),
            },
            handed_on: matcher.shapes.handed_on(matcher.binary, named),
        }
    }
}
