//! `ecmo unpack`: the parts of an image as files.

use std::path::{Path, PathBuf};

use clap::Args;
use linker::files::{self, Files, Node};
use linker::symbols;
use linker::transplant::kernel_elf;

use super::{DONE, print, read};
use crate::pipeline::{Error, prepare};

/// Write the kernel of a firmware image and what lies beside it as files
///
/// `kernel.bin` is the decompressed kernel, `kernel.elf` the same with the
/// symbols that could be recovered; device trees, initial RAM disks, the
/// initramfs inside the kernel and its configuration where there are any. A file
/// system is written as it is, and beside it as a folder with its files.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ecmo unpack firmware.bin -o firmware")]
pub struct Arguments {
    /// Firmware image
    image: PathBuf,
    /// Folder for the files; it is made when it is not there
    #[arg(short, long = "out", value_name = "DIR")]
    out: PathBuf,
}

/// The command.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, Error> {
    let name = arguments.image.display().to_string();
    let firmware = prepare::open(&name, &read(&arguments.image)?)?;
    let kernel = &firmware.kernel;
    std::fs::create_dir_all(&arguments.out).map_err(|source| failed(&arguments.out, source))?;
    let write = |name: String, bytes: &[u8]| {
        let path = arguments.out.join(name);
        std::fs::write(&path, bytes).map_err(|source| failed(&path, source))?;
        print(&format!("{}  {} bytes\n", path.display(), bytes.len()))
    };
    write("kernel.bin".to_owned(), &kernel.bytes)?;
    let symbols = symbols::recover(kernel);
    let elf = kernel_elf(kernel, &symbols).map_err(|why| Error::Io {
        what: "kernel.elf".to_owned(),
        source: std::io::Error::other(why),
    })?;
    write("kernel.elf".to_owned(), &elf)?;
    for (index, tree) in firmware.trees.iter().enumerate() {
        write(format!("tree-{index}.dtb"), &tree.bytes)?;
    }
    for (index, ramdisk) in firmware.ramdisks.iter().enumerate() {
        write(format!("ramdisk-{index}"), &ramdisk.bytes)?;
    }
    for (index, one) in firmware.file_systems.iter().enumerate() {
        let name = format!("filesystem-{index}");
        write(format!("{name}.{:?}", one.kind).to_lowercase(), &one.bytes)?;
        let place = arguments.out.join(&name);
        let line = match files::read(one.kind, &one.bytes, files::Limits::default()) {
            Ok(files) => extract(&files, &place)?,
            Err(error) => format!("not written: {error}"),
        };
        print(&format!("{}  {line}\n", place.display()))?;
    }
    if let Some(initramfs) = &firmware.initramfs {
        let end = initramfs.offset.saturating_add(initramfs.len);
        if let Some(bytes) = kernel.bytes.get(initramfs.offset..end) {
            let suffix = initramfs.compression.map(|format| format!(".{format}"));
            write(
                format!("initramfs.cpio{}", suffix.unwrap_or_default()),
                bytes,
            )?;
        }
    }
    if let Some(config) = &firmware.config {
        write("config".to_owned(), config.as_bytes())?;
    }
    Ok(DONE)
}

/// Writes files into a folder that must not be there yet: so nothing can be written
/// through a link that leads out of it. Says what was written.
fn extract(files: &Files, folder: &Path) -> Result<String, Error> {
    std::fs::create_dir(folder).map_err(|source| failed(folder, source))?;
    let mut devices = 0;
    for (path, entry) in files.iter() {
        let path = folder.join(path);
        let written = match &entry.node {
            Node::Directory => std::fs::create_dir(&path),
            Node::File(bytes) => {
                std::fs::write(&path, bytes).and_then(|()| set_executable(&path, entry.permissions))
            }
            Node::Link(target) => link(target, &path),
            Node::Character(..) | Node::Block(..) | Node::Pipe | Node::Socket => {
                devices += 1;
                Ok(())
            }
        };
        written.map_err(|source| failed(&path, source))?;
    }
    Ok(match devices {
        0 => format!("{} files", files.len()),
        _ => format!(
            "{} files; {devices} devices, pipes and sockets are left out",
            files.len() - devices
        ),
    })
}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Without links of its own, a text with the target stands for one.
#[cfg(not(unix))]
fn link(target: &str, path: &Path) -> std::io::Result<()> {
    std::fs::write(path, target)
}

#[cfg(unix)]
fn set_executable(path: &Path, permissions: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // The owner can always read and write what was unpacked; no set-user bits.
    let mode = permissions & 0o777 | 0o600;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_executable(_path: &Path, _permissions: u32) -> std::io::Result<()> {
    Ok(())
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        what: path.display().to_string(),
        source,
    }
}
