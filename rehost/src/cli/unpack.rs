//! `ecmo unpack`: the parts of an image as files.

use std::path::{Path, PathBuf};

use clap::Args;
use linker::symbols;
use linker::transplant::kernel_elf;

use super::{DONE, print, read};
use crate::pipeline::{Error, prepare};

/// Write the kernel of a firmware image and what lies beside it as files
///
/// `kernel.bin` is the decompressed kernel, `kernel.elf` the same with the
/// symbols that could be recovered; device trees, initial RAM disks, the
/// initramfs inside the kernel and its configuration where there are any.
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

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        what: path.display().to_string(),
        source,
    }
}
