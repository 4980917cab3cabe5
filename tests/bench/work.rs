//! What the guest does in user space before it says that it is ready.

use tests::userland;

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

    /// The built-in user space with this work in it.
    pub(crate) fn archive(&self) -> tempfile::NamedTempFile {
        userland::with_script(self.script)
    }
}
