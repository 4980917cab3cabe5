//! The serial core's functions, from its table of terminal operations.
//!
//! `uart_register_driver` hands every terminal driver the same
//! `struct tty_operations` (include/linux/tty_driver.h), whose members all but a
//! few point to functions of drivers/tty/serial/serial_core.c that are called
//! like them. Which members stand in front of which, and which of them the serial
//! core leaves empty, differs between versions; a table is believed when it fits
//! exactly one of the arrangements.

use std::collections::BTreeMap;

use super::Code;
use crate::kernel::Kernel;
use crate::machine::flow::{Event, Value};

/// The arrangements of members as the serial core fills them in: a member with a
/// function of its name, `-` for one that is left empty, `?` for one that may hold
/// anything.
const ARRANGEMENTS: [&str; 6] = [
    // 2.6.12 to 2.6.20.
    "open close write put_char flush_chars write_room chars_in_buffer ioctl
    set_termios throttle unthrottle stop start hangup break_ctl flush_buffer
    - wait_until_sent send_xchar ? - tiocmget tiocmset",
    // 2.6.22 and 2.6.24.
    "open close write put_char flush_chars write_room chars_in_buffer ioctl
    - set_termios throttle unthrottle stop start hangup break_ctl flush_buffer
    - wait_until_sent send_xchar ? - tiocmget tiocmset",
    // 2.6.28 and 2.6.29.
    "- ? - open close - write put_char flush_chars write_room chars_in_buffer ioctl
    - set_termios throttle unthrottle stop start hangup break_ctl flush_buffer
    set_ldisc wait_until_sent send_xchar ? tiocmget tiocmset",
    // 2.6.30 and 2.6.31.
    "- ? - open close - write put_char flush_chars write_room chars_in_buffer ioctl
    - set_termios throttle unthrottle stop start hangup break_ctl flush_buffer
    set_ldisc wait_until_sent send_xchar tiocmget tiocmset -",
    // 2.6.32 to 5.19, 6.2 and 6.3.
    "- ? - open close - - write put_char flush_chars write_room chars_in_buffer ioctl
    - set_termios throttle unthrottle stop start hangup break_ctl flush_buffer
    set_ldisc wait_until_sent send_xchar tiocmget tiocmset",
    // 6.1, and 6.4 on.
    "- ? - open close - - write put_char flush_chars write_room chars_in_buffer ioctl
    - set_termios throttle unthrottle stop start hangup break_ctl flush_buffer
    - set_ldisc wait_until_sent send_xchar tiocmget tiocmset",
];

/// The functions in the table, by name, when there is one table.
pub(super) fn of(code: &Code<'_>) -> BTreeMap<String, u32> {
    let Some(register) = code.function("uart_register_driver") else {
        return BTreeMap::new();
    };
    let handed = register.events.iter().flat_map(|event| match event {
        Event::Call { arguments, .. } => arguments.to_vec(),
        Event::Store { value, .. } => vec![value.clone()],
        _ => Vec::new(),
    });
    let mut tables: Vec<u32> = handed
        .filter_map(|value| match value {
            Value::Const(address) => Some(address),
            _ => None,
        })
        .collect();
    tables.sort_unstable();
    tables.dedup();
    let mut fitting = tables.into_iter().flat_map(|table| {
        let arrangements = ARRANGEMENTS.iter();
        arrangements.filter_map(move |members| names(code.kernel, table, members))
    });
    match (fitting.next(), fitting.next()) {
        (Some(found), None) => found,
        _ => BTreeMap::new(),
    }
}

/// The functions of a table, when it fits this arrangement.
fn names(kernel: &Kernel, table: u32, members: &str) -> Option<BTreeMap<String, u32>> {
    let mut found = BTreeMap::new();
    for (member, index) in members.split_ascii_whitespace().zip(0..) {
        let word = kernel.word(table.checked_add(4 * index)?)?;
        match member {
            "?" => {}
            "-" if word == 0 => {}
            "-" => return None,
            name => {
                kernel.offset(word & !1)?;
                found.insert(format!("uart_{name}"), word & !1);
            }
        }
    }
    // Each is a function of its own.
    let mut addresses: Vec<u32> = found.values().copied().collect();
    addresses.sort_unstable();
    addresses.dedup();
    (addresses.len() == found.len()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Facts, Version};

    const BASE: u32 = 0xc000_8000;

    /// A kernel with nothing but a table at its start.
    fn kernel(members: &str) -> Kernel {
        let mut bytes = Vec::new();
        for (member, index) in members.split_ascii_whitespace().zip(0_u32..) {
            let word = match member {
                "-" | "?" => 0,
                _ => BASE + 0x200 + 0x10 * index,
            };
            bytes.extend(word.to_le_bytes());
        }
        bytes.resize(0x800, 0);
        Kernel {
            bytes,
            base: BASE,
            facts: Facts::usual(Version(3, 4, 5)),
        }
    }

    #[test]
    fn every_arrangement_fits_itself_alone() {
        for (index, members) in ARRANGEMENTS.iter().enumerate() {
            let kernel = kernel(members);
            let fits: Vec<usize> = (0..ARRANGEMENTS.len())
                .filter(|other| names(&kernel, BASE, ARRANGEMENTS[*other]).is_some())
                .collect();
            assert_eq!(fits, [index]);
        }
    }

    #[test]
    fn the_functions_have_their_places() {
        let kernel = kernel(ARRANGEMENTS[0]);
        let found = names(&kernel, BASE, ARRANGEMENTS[0]).expect("it fits");
        assert_eq!(found["uart_open"], BASE + 0x200);
        assert_eq!(found["uart_chars_in_buffer"], BASE + 0x260);
        assert_eq!(found["uart_tiocmset"], BASE + 0x360);
    }

    #[test]
    fn a_table_beyond_the_kernel_or_with_twins_is_none() {
        let mut kernel = kernel(ARRANGEMENTS[0]);
        assert!(names(&kernel, BASE + 0x7f0, ARRANGEMENTS[0]).is_none());
        assert!(names(&kernel, u32::MAX - 8, ARRANGEMENTS[0]).is_none());
        let first: [u8; 4] = kernel.bytes[..4].try_into().expect("four bytes");
        kernel.bytes[4..8].copy_from_slice(&first);
        assert!(names(&kernel, BASE, ARRANGEMENTS[0]).is_none());
    }
}
