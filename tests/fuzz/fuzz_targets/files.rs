//! A file system of any bytes, of any format: reading it ends within its limits,
//! and no path in it leads out of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::files::{self, Kind, Limits, Node};

/// Small enough that an input takes no second.
const LIMITS: Limits = Limits {
    contents: 1 << 20,
    work: 8 << 20,
    entries: 1000,
    depth: 8,
};
const KINDS: [Kind; 6] = [
    Kind::Squashfs,
    Kind::Jffs2,
    Kind::Cramfs,
    Kind::Romfs,
    Kind::Ext,
    Kind::Ubi,
];

fuzz_target!(|bytes: &[u8]| {
    for found in files::find(bytes) {
        assert!(found.offset + found.len <= bytes.len(), "{found:?}");
    }
    let volumes = files::volumes(bytes);
    let length: usize = volumes.iter().map(|volume| volume.bytes.len()).sum();
    assert!(length <= 4 * bytes.len());
    for kind in KINDS {
        let Ok(files) = files::read(kind, bytes, LIMITS) else {
            continue;
        };
        assert!(files.len() <= LIMITS.entries);
        let mut contents = 0;
        for (path, entry) in files.iter() {
            assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")));
            if let Some((folder, _)) = path.rsplit_once('/') {
                let above = files.get(folder).map(|above| &above.node);
                assert_eq!(above, Some(&Node::Directory), "{path}");
            }
            if let Node::File(bytes) = &entry.node {
                contents += bytes.len() as u64;
            }
        }
        assert!(contents <= LIMITS.contents);
    }
});
