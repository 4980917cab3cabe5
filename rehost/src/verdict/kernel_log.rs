//! Reads the kernel's log buffer out of its memory: messages that no console
//! has shown.
//!
//! The buffer's form changed twice (plain text to 3.4, records from 3.5, text
//! blocks apart from their descriptors from 5.10), but in each the messages are
//! plain text, and the banner is one of the first. So the banner is looked for,
//! and the texts that follow it are taken.

/// Bytes of memory that are read from the banner on, at most: the largest log
/// buffer that kernels commonly have.
pub const LONGEST: usize = 512 << 10;
/// This many zeros end the written part of the buffer.
const END: usize = 256;
/// A shorter run of letters between two messages is a record's head.
const SHORTEST: usize = 6;

/// The messages, one a line; `None` when there is no buffer in this memory.
/// `banner` is the kernel's `Linux version ...` line. It also stands in the
/// kernel's own constants, which `memory` must not contain.
pub fn read(memory: &[u8], banner: &str) -> Option<String> {
    let needle = banner.lines().next()?.trim_end();
    if needle.len() < SHORTEST {
        return None;
    }
    memchr::memmem::find_iter(memory, needle.as_bytes())
        .map(|at| messages(&memory[at..memory.len().min(at + LONGEST)]))
        .max_by_key(String::len)
}

/// Runs of printable characters, up to a long stretch of zeros.
fn messages(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut run = String::new();
    let mut zeros = 0;
    for &byte in bytes {
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        if zeros >= END {
            break;
        }
        if matches!(byte, b' '..=b'~' | b'\t') {
            run.push(char::from(byte));
        } else {
            keep(&mut text, &mut run);
        }
    }
    keep(&mut text, &mut run);
    text
}

fn keep(text: &mut String, run: &mut String) {
    if run.len() >= SHORTEST {
        text.push_str(run.trim_end());
        text.push('\n');
    }
    run.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_plain_text_read_alike() {
        let mut memory = vec![0xa5; 100];
        memory.extend_from_slice(
            b"Linux version 3.18.20 (a@b) #1\0\x10\0\0\0\x21\0ab\0\0CPU: ARMv6\0\0",
        );
        memory.extend_from_slice(b"<6>Kernel panic - not syncing: no init\n");
        memory.extend_from_slice(&[0; 1000]);
        memory.extend_from_slice(b"not part of it");
        let log = read(&memory, "Linux version 3.18.20 (a@b) #1\n").unwrap();
        expect_test::expect![[r#"
            Linux version 3.18.20 (a@b) #1
            CPU: ARMv6
            <6>Kernel panic - not syncing: no init
        "#]]
        .assert_eq(&log);
    }

    #[test]
    fn memory_without_a_banner_has_no_log() {
        assert_eq!(read(&[0; 4096], "Linux version 6.1"), None);
        assert_eq!(read(b"", ""), None);
    }
}
