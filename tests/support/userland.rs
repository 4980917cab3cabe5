//! The built-in user space with a script of the test's in it.

use std::io::Write;

use rehost::userland::cpio::Archive;
use rehost::userland::{Abi, builtin};
use tempfile::NamedTempFile;

/// The built-in user space for Armv5 and later as a cpio archive, with a script
/// that is run between its start and its shell.
///
/// A kernel unpacks one archive behind the other, and what comes later replaces
/// what came before; so a second archive with the changed files is enough.
///
/// # Panics
/// When no temporary file can be written.
pub fn with_script(script: &str) -> NamedTempFile {
    let mut changed = Archive::new();
    let inittab = "::sysinit:/bin/sh /etc/rc\n\
                   ::sysinit:/bin/sh /etc/script\n\
                   ::respawn:/bin/setsid /bin/cttyhack /bin/sh /etc/shell\n";
    changed.file("etc/inittab", 0o644, inittab.as_bytes());
    changed.file(
        "etc/script",
        0o755,
        format!("PATH=/bin\n{script}").as_bytes(),
    );
    let mut file = NamedTempFile::new().expect("a temporary file can be made");
    for part in [builtin(Abi::Soft), changed.finish()] {
        file.write_all(&part)
            .expect("a temporary file can be written");
    }
    file
}
