//! U-Boot's FIT image (`doc/uImage.FIT` of U-Boot): a device tree whose nodes
//! under `/images` carry kernels, trees and ramdisks, either as a property or
//! behind the tree.

use super::opener::{Opener, Span, Tried};
use super::tree::{self, Property};
use super::{Error, LayerKind};
use crate::bytes::be32;
use crate::kernel::Kernel;

const WHAT: &str = "FIT image";
/// Root, `/images` and one of these.
const DEPTH: usize = 3;

/// A node under `/images`.
#[derive(Default)]
struct Part<'a> {
    name: &'a str,
    kind: &'a str,
    arch: &'a str,
    load: Option<u32>,
    /// Offset of the data in the image and their length.
    data: (usize, usize),
}

/// A device tree with data under `/images`.
pub(super) fn begins(bytes: &[u8]) -> bool {
    // Only trees that carry something are this large, or have the node at all.
    tree::begins(bytes) && !parts(bytes).is_empty()
}

fn parts(bytes: &[u8]) -> Vec<Part<'_>> {
    let behind = tree::length(bytes).unwrap_or(0).next_multiple_of(4);
    let mut result: Vec<Part<'_>> = Vec::new();
    for property in tree::properties(bytes, DEPTH) {
        let &[_, "images", name] = property.path.as_slice() else {
            continue;
        };
        if result.last().is_none_or(|part| part.name != name) {
            result.push(Part {
                name,
                ..Part::default()
            });
        }
        if let Some(part) = result.last_mut() {
            set(part, &property, behind);
        }
    }
    result.retain(|part| part.data.1 > 0);
    result
}

/// Takes a property of a node.
fn set<'a>(part: &mut Part<'a>, property: &Property<'a>, behind: usize) {
    let number = be32(property.value, 0).map(|number| number as usize);
    match property.name {
        "data" => part.data = (property.offset, property.value.len()),
        "data-offset" => part.data.0 = behind.saturating_add(number.unwrap_or(0)),
        "data-position" => part.data.0 = number.unwrap_or(0),
        "data-size" => part.data.1 = number.unwrap_or(0),
        "type" => part.kind = tree::text(property.value),
        "arch" => part.arch = tree::text(property.value),
        "load" => part.load = be32(property.value, 0),
        _ => {}
    }
}

pub(super) fn open(opener: &mut Opener, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
    let parts = parts(span.bytes);
    let names: Vec<String> = parts
        .iter()
        .map(|part| format!("{} {:?}", part.kind, part.name))
        .collect();
    let end = parts
        .iter()
        .map(|part| part.data.0.saturating_add(part.data.1))
        .max();
    let len = tree::length(span.bytes).max(end).unwrap_or(0);
    opener.note(span.part(0, len), depth, LayerKind::Fit, names.join(", "));
    let mut tried = Tried::default();
    let mut kernel = None;
    for part in &parts {
        let (offset, len) = part.data;
        match part.kind {
            "kernel" | "kernel_noload" if kernel.is_none() => {
                if part.arch != "arm" {
                    tried.add(Error::Field {
                        what: WHAT,
                        place: span.place,
                        field: "arch of the kernel",
                        found: format!("{:?}", part.arch),
                        expected: "\"arm\"".into(),
                    });
                    continue;
                }
                let result = opener.attempt(|opener| {
                    let data = span.whole(offset, len, WHAT, "kernel")?;
                    opener.load_address = part.load;
                    opener.open(data, depth + 1)
                });
                match result {
                    Ok(found) => kernel = Some(found),
                    Err(error) if error.is_final() => return Err(error),
                    Err(error) => tried.add(error),
                }
            }
            "ramdisk" => {
                let data = span.whole(offset, len, WHAT, "ramdisk")?;
                opener.keep_ramdisk(data, depth + 1);
            }
            _ => {}
        }
    }
    kernel.ok_or_else(|| {
        tried.into_error(|tried| Error::NoKernel {
            what: WHAT,
            place: span.place,
            tried,
        })
    })
}

#[cfg(test)]
mod tests {
    use dtoolkit::model::{DeviceTree, DeviceTreeNode};
    use expect_test::expect;

    use super::super::compress::Format;
    use super::super::fixture::{self, refused, set};
    use super::super::open;

    /// A FIT image with a kernel, a tree and a ramdisk, in the tree or behind it.
    fn fit(external: bool, arch: &str, kernel: &[u8]) -> Vec<u8> {
        let kernel = fixture::compress(Format::Gzip, kernel);
        let tree = fixture::tree();
        let mut behind: Vec<u8> = Vec::new();
        let mut whole = DeviceTree::new();
        let images = whole
            .root
            .add_child_mut(DeviceTreeNode::new_unchecked("images"));
        for (name, kind, data) in [
            ("kernel-1", "kernel", kernel.as_slice()),
            ("fdt-1", "flat_dt", &tree),
            ("ramdisk-1", "ramdisk", b"files"),
        ] {
            let node = images.add_child_mut(DeviceTreeNode::new_unchecked(name));
            if external {
                set(node, "data-offset", behind.len() as u32);
                set(node, "data-size", data.len() as u32);
                behind.extend(data);
            } else {
                set(node, "data", data);
            }
            set(node, "type", kind);
            set(node, "arch", arch);
            set(node, "load", 0x8020_8000_u32);
            let hash = node.add_child_mut(DeviceTreeNode::new_unchecked("hash-1"));
            set(hash, "algo", "crc32");
        }
        let mut bytes = whole.to_dtb();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(behind);
        bytes
    }

    #[test]
    fn opens_data_in_and_behind_the_tree() {
        for external in [false, true] {
            let firmware = open(&fit(external, "arm", &fixture::kernel())).unwrap();
            assert!(firmware.kernel.bytes == fixture::kernel());
            assert_eq!(firmware.load_address, Some(0x8020_8000));
            assert_eq!(firmware.trees.len(), 1);
            assert!(firmware.trees[0].bytes == fixture::tree());
            assert_eq!(firmware.ramdisks[0].bytes, b"files");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        refused(
            &fit(false, "arm64", b"another kernel"),
            expect![[
                r#"FIT image at 0x0: no kernel in it (tried: FIT image: arch of the kernel at 0x0 is "arm64", expected "arm")"#
            ]],
        );
        refused(
            &fit(true, "arm", b"no kernel"),
            expect![
                "FIT image at 0x0: no kernel in it (tried: no ARM Linux kernel found in 9 bytes: no raw kernel, zImage, uImage, FIT, Android boot image, ELF kernel, JFFS2 nor compressed stream with one)"
            ],
        );
        let image = fit(true, "arm", &fixture::kernel());
        refused(
            &image[..0x200],
            expect![
                "device tree or FIT image at 0x0 is cut off: its data should end at 0x222, but the data end at 0x200"
            ],
        );
    }
}
