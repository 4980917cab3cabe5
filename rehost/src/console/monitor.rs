//! The monitor: questions about the machine while it stands still.

use crate::cli::{print, text};
use crate::names::Names;
use crate::pipeline::Error;
use crate::pipeline::boot::Control;
use crate::session::Session;

/// Bytes that `read` shows at most.
const MOST: u32 = 4096;
/// Lines that `info unassigned` shows.
const LINES: usize = 20;

const HELP: &str = "\
info registers        the processor's registers
info milestones       how far the boot came, and when
info unassigned       accesses to addresses where there is nothing, by count
read ADDRESS [COUNT]  bytes at a virtual address
continue              back to the console
quit                  end the run
";

/// Talks until the user wants to go on or to end the run.
pub(crate) fn talk(names: &Names, session: &mut Session) -> Result<Control, Error> {
    print("\n(monitor; the guest stands still; `help` shows the commands)\n")?;
    loop {
        print("(ecmo) ")?;
        let line = super::terminal::line().map_err(|source| Error::Io {
            what: "the terminal".to_owned(),
            source,
        })?;
        let Some(line) = line else {
            return Ok(Control::Stop);
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["continue" | "c"] => return Ok(Control::Continue),
            ["quit" | "q"] => return Ok(Control::Stop),
            words => print(&answer(names, session, words))?,
        }
    }
}

/// The answer to a command.
pub(crate) fn answer(names: &Names, session: &mut Session, words: &[&str]) -> String {
    match words {
        ["info", "registers"] => registers(names, session),
        ["info", "milestones"] => milestones(session),
        ["info", "unassigned"] => unassigned(session),
        ["read", address] => read(session, address, "64"),
        ["read", address, count] => read(session, address, count),
        ["help" | "h" | "?"] => HELP.to_owned(),
        _ => "not a command; `help` shows them\n".to_owned(),
    }
}

fn registers(names: &Names, session: &Session) -> String {
    let registers = session.machine().registers();
    let mut text = String::new();
    for (number, value) in registers.r.iter().enumerate() {
        let end = if number % 4 == 3 { '\n' } else { ' ' };
        text += &format!("r{number:<2} {value:08x}{end}");
    }
    text += &format!("cpsr {:08x}  spsr {:08x}\n", registers.cpsr, registers.spsr);
    let pc = registers.r[15];
    if let Some(name) = names.name(pc) {
        text += &format!("at {name}\n");
    }
    text
}

fn milestones(session: &Session) -> String {
    let rows: Vec<[String; 3]> = session
        .passed()
        .iter()
        .map(|passed| {
            [
                passed.milestone.to_string(),
                format!("{:>13}", text::grouped(passed.instructions)),
                format!("{:.6} s", passed.at.0 as f64 / 1e9),
            ]
        })
        .collect();
    text::table(["milestone", "instructions", "virtual time"], &rows)
}

fn unassigned(session: &Session) -> String {
    let mut accesses = session.machine().unassigned();
    accesses.sort_by_key(|one| std::cmp::Reverse(one.reads + one.writes));
    let rows: Vec<[String; 4]> = accesses
        .iter()
        .take(LINES)
        .map(|one| {
            [
                format!("{:#010x}", one.address),
                format!("{:#010x}", one.pc),
                one.reads.to_string(),
                one.writes.to_string(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    text::table(["address", "instruction", "reads", "writes"], &rows)
}

fn read(session: &Session, address: &str, count: &str) -> String {
    let (Some(address), Some(count)) = (number(address), number(count)) else {
        return "ADDRESS and COUNT are numbers, hexadecimal with 0x\n".to_owned();
    };
    let mut bytes = vec![0; count.min(MOST) as usize];
    if let Err(error) = session.machine().read_virtual(address, &mut bytes) {
        return format!("{error}\n");
    }
    let mut text = String::new();
    for (index, line) in bytes.chunks(16).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown: String = line
            .iter()
            .map(|&byte| {
                if matches!(byte, b' '..=b'~') {
                    char::from(byte)
                } else {
                    '.'
                }
            })
            .collect();
        let at = address.wrapping_add(index as u32 * 16);
        text += &format!("{at:08x}  {:47}  {shown}\n", hex.join(" "));
    }
    text
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!(number("0xc0008000"), Some(0xc000_8000));
        assert_eq!(number("64"), Some(64));
        assert_eq!(number("c0008000"), None);
    }
}
