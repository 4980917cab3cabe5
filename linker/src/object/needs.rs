//! What a driver cannot do without, read from its notes.

use std::collections::BTreeMap;

use super::{Driver, NoteKind};

/// One thing that a driver cannot do without: one of these names is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Functions, variables or fields of the kernel, the preferred first.
    pub names: Vec<String>,
}

impl Driver {
    /// What the required backward and forward notes ask the kernel for.
    ///
    /// A note with several names is satisfied by any of them; of a group of
    /// notes it is enough that one is satisfied, so a group is one need.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for note in self.members().iter().flat_map(|member| member.notes()) {
            let asks = matches!(note.kind, NoteKind::Backward | NoteKind::Forward);
            if !asks || !note.required {
                continue;
            }
            match &note.group {
                Some(group) => groups
                    .entry(group)
                    .or_default()
                    .extend(note.names.iter().cloned()),
                None => needs.push(Need {
                    names: note.names.clone(),
                }),
            }
        }
        needs.extend(groups.into_values().map(|names| Need { names }));
        needs
    }
}

impl Need {
    /// The names that are required on a kernel that has what `has` says: the
    /// first that it has, or all of them when it has none.
    pub fn required(&self, has: impl Fn(&str) -> bool) -> &[String] {
        match self.names.iter().position(|name| has(name)) {
            Some(first) => &self.names[first..=first],
            None => &self.names,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_names_is_enough() {
        let need = Need {
            names: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(need.required(|name| name == "b"), ["b"]);
        assert_eq!(need.required(|_| true), ["a"]);
        assert_eq!(need.required(|_| false), ["a", "b"]);
    }
}
