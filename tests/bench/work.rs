//! What the guest does in user space before it says that it is ready.

use std::io::Write;

use anyhow::Result;
use rehost::userland::cpio::Archive;
use rehost::userland::{Abi, builtin};

/// A piece of work: a script for the shell of the built-in user space.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    script: &'static str,
}

impl Work {
    /// Nothing: only the boot is measured.
    pub(crate) const NONE: Work = Work {
        name: "boot",
        script: ":\n",
    };

    /// Computing, process creation, and both with memory traffic.
    pub(crate) const ALL: &[Work] = &[
        Work {
            name: "md5sum of 64 MiB",
            script: "dd if=/dev/zero bs=65536 count=1024 | md5sum\n",
        },
        Work {
            name: "300 fork + exec",
            script: "i=0\nwhile [ $i -lt 300 ]; do /bin/busybox true; i=$((i + 1)); done\n",
        },
        Work {
            name: "gzip -9 of 8 MiB",
            script: "for i in 1 2 3 4 5 6 7 8; do cat /bin/busybox; done | head -c 8388608 | gzip -9 | wc -c\n",
        },
    ];

    /// The built-in user space with the work put between its start and its
    /// shell. A kernel unpacks one archive behind the other, and what comes
    /// later replaces what came before.
    pub(crate) fn archive(&self) -> Result<tempfile::NamedTempFile> {
        let mut more = Archive::new();
        let start = "::sysinit:/bin/sh /etc/rc\n\
                     ::sysinit:/bin/sh /etc/work\n\
                     ::respawn:/bin/setsid /bin/cttyhack /bin/sh /etc/shell\n";
        more.file("etc/inittab", 0o644, start.as_bytes());
        more.file(
            "etc/work",
            0o755,
            format!("PATH=/bin\n{}", self.script).as_bytes(),
        );
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(&builtin(Abi::Soft))?;
        file.write_all(&more.finish())?;
        file.flush()?;
        Ok(file)
    }
}
