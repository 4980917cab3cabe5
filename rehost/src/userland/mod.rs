//! User space: the built-in one, the device's own ([`vendor`]), and which one a
//! boot uses.
//!
//! The built-in one is Debian's static busybox with a start-up script of ours,
//! packed as an uncompressed cpio archive: every kernel that takes an initramfs
//! at all takes that form.

pub mod auxv;
pub mod cpio;
pub mod vendor;

use std::borrow::Cow;

use linker::bytes::le32;
use linker::image::compress::{self, Work};
use linker::kernel::{Arch, Kernel, Version};
use linker::machine::Machines;

use crate::embedded;

/// What the built-in user space prints right before its shell starts.
pub const READY: &str = "ecmo: shell ready";

/// What the prompt of its shell begins with.
pub const PROMPT: &str = "ecmo:";

/// Instruction set and calling convention of the built-in user space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abi {
    /// Armv5TE, soft float (Debian `armel`): runs on every processor, but calls
    /// the kernel's helpers in the vector page.
    Soft,
    /// The same with what kernels before 2.6.29 do not give it: see [`auxv`].
    SoftOld,
    /// Armv7 with VFP and Thumb (Debian `armhf`): needs no helpers.
    Hard,
}

impl Abi {
    /// What runs on this kernel. An Armv7 kernel may lack VFP, Thumb or the
    /// helpers, each by its configuration; only of the helpers its bytes tell.
    pub fn of(kernel: &Kernel) -> Self {
        if kernel.facts.version < Version(2, 6, 29) {
            Abi::SoftOld
        } else if kernel.facts.arch < Arch::V7 || has_helpers(kernel) {
            Abi::Soft
        } else {
            Abi::Hard
        }
    }
}

/// Whether the kernel has its helpers for user space: always up to 3.10, since
/// then with `CONFIG_KUSER_HELPERS`. Known by `__kuser_get_tls`
/// (`arch/arm/kernel/entry-armv.S`): `ldr r0, [pc, #8]`, a return, `mrc p15, 0,
/// r0, c13, c0, 3`.
fn has_helpers(kernel: &Kernel) -> bool {
    let bytes = &kernel.bytes;
    let get_tls = |offset: usize| {
        le32(bytes, offset) == Some(0xe59f_0008) && le32(bytes, offset + 8) == Some(0xee1d_0f70)
    };
    kernel.facts.version < Version(3, 11, 0) || (0..bytes.len()).step_by(4).any(get_tls)
}

/// Whether the kernel can unpack an archive by itself (CONFIG_BLK_DEV_INITRD).
/// Known by what its unpacker says of something that is none, in all versions
/// (init/initramfs.c).
pub fn unpacks_archives(kernel: &Kernel) -> bool {
    memchr::memmem::find(&kernel.bytes, b"no cpio magic").is_some()
}

/// Makes a kernel that knows the old way of system calls alone (their number in
/// the instruction) understand that of the EABI too, which all programs use that
/// are at hand. `bytes` are the kernel's, which lies at `base`.
pub fn accept_new_calls(bytes: &mut [u8], base: u32, machines: &Machines) {
    for word in machines.system_calls.iter().flat_map(|calls| &calls.code) {
        let at = word.va.wrapping_sub(base) as usize;
        if let Some(place) = bytes.get_mut(at..at.saturating_add(4))
            && *place == word.old.to_le_bytes()
        {
            place.copy_from_slice(&word.new.to_le_bytes());
        }
    }
}

/// An archive without its compression, for who cannot undo it. What is not
/// compressed in a way that is known stays as it is.
pub fn unpacked(archive: &[u8]) -> Cow<'_, [u8]> {
    /// More than the largest initial RAM disks give.
    const LIMIT: usize = 512 << 20;
    let mut work = Work::new(2 * LIMIT as u64);
    compress::recognise(archive)
        .and_then(|format| compress::decode(format, archive, LIMIT, &mut work).ok())
        .map_or(Cow::Borrowed(archive), |decoded| Cow::Owned(decoded.bytes))
}

/// The built-in user space as a cpio archive.
pub fn builtin(abi: Abi) -> Vec<u8> {
    let busybox = match abi {
        Abi::Soft => Cow::Borrowed(embedded::BUSYBOX_ARMEL),
        Abi::SoftOld => auxv::interpreted(embedded::BUSYBOX_ARMEL)
            .map_or(Cow::Borrowed(embedded::BUSYBOX_ARMEL), Cow::Owned),
        Abi::Hard => Cow::Borrowed(embedded::BUSYBOX_ARMHF),
    };
    let mut archive = cpio::Archive::new();
    for path in [
        "bin", "dev", "etc", "lib", "proc", "root", "run", "sys", "tmp", "var",
    ] {
        archive.directory(path);
    }
    // Without these, a kernel that has no devtmpfs opens no console for init.
    archive.character_device("dev/console", 5, 1);
    archive.character_device("dev/null", 1, 3);
    archive.character_device("dev/tty", 5, 0);
    archive.character_device("dev/ttyS0", 4, 64);
    archive.file("bin/busybox", 0o755, &busybox);
    if abi == Abi::SoftOld {
        archive.file(auxv::INTERPRETER_PATH, 0o755, &auxv::interpreter());
    }
    for applet in ["sh", "mount", "cttyhack"] {
        archive.symlink(&format!("bin/{applet}"), "busybox");
    }
    // A link and not a script: kernels without CONFIG_BINFMT_SCRIPT run it too.
    archive.symlink("init", "bin/busybox");
    archive.file("etc/inittab", 0o644, include_bytes!("inittab"));
    archive.file("etc/rc", 0o755, include_bytes!("rc"));
    archive.file("etc/shell", 0o755, include_bytes!("shell"));
    archive.file("etc/passwd", 0o644, b"root::0:0:root:/root:/bin/sh\n");
    archive.file("etc/group", 0o644, b"root:x:0:\n");
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_archives_hold_busybox_of_their_abi() {
        // e_flags of the ELF header inside: bit 10 says hard float.
        for (abi, hard) in [(Abi::Soft, false), (Abi::SoftOld, false), (Abi::Hard, true)] {
            let archive = builtin(abi);
            let elf = archive.windows(4).position(|window| window == b"\x7fELF");
            let flags = archive[elf.unwrap() + 0x24..][..4].try_into().unwrap();
            assert_eq!(u32::from_le_bytes(flags) & 0x400 != 0, hard);
        }
    }

    #[test]
    fn script_prints_the_line_that_the_verdict_waits_for() {
        assert!(include_str!("shell").contains(READY));
        assert!(include_str!("shell").contains(&format!("PS1='{PROMPT}")));
    }
}
