//! The lowest architecture that a kernel can run on.
//!
//! Every `arch/arm/mm/proc-*.S` that was built in leaves two strings one behind
//! the other, `cpu_arch_name` and `cpu_elf_name`: `armv5tej`, `v5`. The kernel is
//! compiled for the lowest of them.

use memchr::memmem;

use super::Arch;
use crate::bytes::words;

/// What the processor names say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lowest {
    /// At least one application processor.
    Application(Arch),
    /// Only processors of the M profile.
    Microcontroller,
    /// No names.
    None,
}

/// Reads the processor names.
pub(super) fn lowest(bytes: &[u8]) -> Lowest {
    let mut result = Lowest::None;
    for offset in memmem::find_iter(bytes, b"armv") {
        let Some(name) = pair_at(bytes, offset) else {
            continue;
        };
        result = match (result, name) {
            (Lowest::Application(known), Some(arch)) => Lowest::Application(known.min(arch)),
            (_, Some(arch)) => Lowest::Application(arch),
            (Lowest::None, None) => Lowest::Microcontroller,
            (other, None) => other,
        };
    }
    result
}

/// The pair of names at `offset`; `Some(None)` is a microcontroller.
fn pair_at(bytes: &[u8], offset: usize) -> Option<Option<Arch>> {
    const LONGEST: usize = 16;
    let rest = bytes.get(offset..)?;
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    let mut strings = rest.split(|&byte| byte == 0);
    let arch = strings.next()?.strip_prefix(b"armv")?;
    let elf = strings.next()?.strip_prefix(b"v")?;
    // The second string must have ended within the window as well.
    strings.next()?;
    let (&number, suffix) = arch.split_first()?;
    if elf.first() != Some(&number) || !suffix.iter().all(u8::is_ascii_lowercase) {
        return None;
    }
    if suffix == b"m" {
        return Some(None);
    }
    let arch = match number {
        b'4' => Arch::V4,
        b'5' => Arch::V5,
        b'6' => Arch::V6,
        b'7' => Arch::V7,
        _ => return None,
    };
    Some(Some(arch))
}

/// A guess for kernels without names: the newest instruction that stands in
/// the code often enough not to be chance.
pub(super) fn lowest_by_code(bytes: &[u8]) -> Arch {
    /// One in this many words.
    const RARE: usize = 20_000;
    let [mut v5, mut v6, mut v7] = [0usize; 3];
    for word in words(bytes) {
        let is = |mask: u32, value: u32| usize::from(word & mask == value);
        // MOVW, MOVT
        v7 += is(0xffb0_0000, 0xe300_0000);
        // UXTB, UXTH without rotation
        v6 += is(0xffef_0ff0, 0xe6ef_0070);
        // BLX register, CLZ
        v5 += is(0xffff_fff0, 0xe12f_ff30) + is(0xfff_0ff0, 0x16f_0f10);
    }
    let enough = bytes.len() / 4 / RARE + 16;
    match () {
        () if v7 > enough => Arch::V7,
        () if v6 > enough => Arch::V6,
        () if v5 > enough => Arch::V5,
        () => Arch::V4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_name_counts() {
        assert_eq!(lowest(b"x\0armv7\0v7\0"), Lowest::Application(Arch::V7));
        assert_eq!(
            lowest(b"armv7\0v7\0Foo\0armv6\0v6\0"),
            Lowest::Application(Arch::V6)
        );
        assert_eq!(
            lowest(b"\0armv5tej\0v5\0\0\0armv4t\0v4\0"),
            Lowest::Application(Arch::V4)
        );
    }

    #[test]
    fn microcontrollers_are_told_apart() {
        assert_eq!(lowest(b"armv7m\0v7m\0"), Lowest::Microcontroller);
        assert_eq!(
            lowest(b"armv7m\0v7m\0armv7\0v7\0"),
            Lowest::Application(Arch::V7)
        );
    }

    #[test]
    fn other_text_is_ignored() {
        for text in [
            &b"arm,armv7-timer\0v7\0"[..],
            b"armv7\0v6\0",
            b"armv7\0v7",
            b"armv9\0v9\0",
            b"armv",
            b"armv7\0",
        ] {
            assert_eq!(lowest(text), Lowest::None, "{text:?}");
        }
    }

    #[test]
    fn code_tells_when_names_do_not() {
        let code = |word: u32| word.to_le_bytes().repeat(1000);
        assert_eq!(lowest_by_code(&code(0xe301_2345)), Arch::V7);
        assert_eq!(lowest_by_code(&code(0xe6ef_1072)), Arch::V6);
        assert_eq!(lowest_by_code(&code(0xe12f_ff33)), Arch::V5);
        assert_eq!(lowest_by_code(&code(0xe1a0_0000)), Arch::V4);
    }
}
