//! A driver library as text, for `ecmo-link dump`.

use std::fmt;

use super::{Driver, Member, Note, NoteKind};

impl fmt::Display for Driver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noted = self
            .members
            .iter()
            .filter(|member| !member.notes().is_empty())
            .count();
        writeln!(
            out,
            "{}: {} objects, {noted} with notes",
            self.name,
            self.members.len()
        )?;
        let kinds = [
            (NoteKind::Forward, "forwards"),
            (NoteKind::Backward, "backward pointers"),
            (NoteKind::Layout, "layouts"),
            (NoteKind::Constant, "constants"),
            (NoteKind::Chip, "chips"),
        ];
        for (kind, title) in kinds {
            let mut notes: Vec<(&Member, &Note)> = self
                .members
                .iter()
                .flat_map(|member| member.notes().iter().map(move |note| (member, note)))
                .filter(|(_, note)| note.kind == kind)
                .collect();
            notes.sort_by(|a, b| (&a.1.names, &a.1.group).cmp(&(&b.1.names, &b.1.group)));
            // Every object that includes a declaration repeats it.
            notes.dedup_by(|a, b| kind != NoteKind::Forward && line(a.1) == line(b.1));
            writeln!(out, "\n{title}: {}", notes.len())?;
            for (member, note) in notes {
                writeln!(out, "  {}", line(note))?;
                if kind == NoteKind::Forward {
                    let symbol = &member.symbols()[note.symbol];
                    let function = function(member, note).unwrap_or(&symbol.name);
                    writeln!(out, "    is {function} in {}", member.name())?;
                }
                if !note.signature.is_empty() {
                    writeln!(out, "    {}", note.signature)?;
                }
                for text in note
                    .doc
                    .lines()
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                {
                    writeln!(out, "    {text}")?;
                }
            }
        }
        Ok(())
    }
}

fn line(note: &Note) -> String {
    let need = match (note.required, &note.group) {
        (true, Some(group)) => format!("one of group {group}"),
        (true, None) => "required".to_owned(),
        (false, Some(group)) => format!("optional, group {group}"),
        (false, None) => "optional".to_owned(),
    };
    let data = if note.data { ", variable" } else { "" };
    format!("{} ({need}{data})", note.wanted())
}

/// The name of the function at which a forward's note points: compilers name
/// local ones by section and offset.
fn function<'a>(member: &'a Member, note: &Note) -> Option<&'a str> {
    use super::Definition::Section;
    let Section { section, offset } = member.symbols()[note.symbol].definition else {
        return None;
    };
    let wanted = offset.wrapping_add_signed(note.addend) & !1;
    let named = member.symbols().iter().find(|symbol| {
        symbol.function
            && symbol.definition
                == Section {
                    section,
                    offset: wanted,
                }
    })?;
    Some(&named.name)
}
