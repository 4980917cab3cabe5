//! A transplant as files: `driver.elf`, `kernel.elf`, `transplant.json`.

use std::path::{Path, PathBuf};

use goblin::elf32::program_header::{PT_LOAD, ProgramHeader};
use scroll::{LE, Pread};

use super::elf::{self, Image, Load, Part, Symbol, SymbolKind};
use super::{ApplyError, Transplant};
use crate::bytes::{le32, u16_at};
use crate::kernel::{Arch, Kernel};
use crate::symbols::SymbolTable;

/// The linked driver with symbols and debugging information.
pub const DRIVER_ELF: &str = "driver.elf";
/// The patched kernel with all symbols that are known.
pub const KERNEL_ELF: &str = "kernel.elf";
/// The manifest: everything else.
pub const MANIFEST: &str = "transplant.json";

const PROGRAM_HEADER_SIZE: usize = 32;

/// Why a transplant cannot be written to or read from a directory.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The manifest is none.
    #[error("{}: {source}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong.
        source: serde_json::Error,
    },
    /// `driver.elf` does not hold what the manifest says.
    #[error("{}: {why}", path.display())]
    Driver {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The kernel is another one.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A file would be too large for its format.
    #[error("{0}")]
    Elf(String),
}

impl Transplant {
    /// Writes the three files into `directory`, which is made when it is not
    /// there. `kernel` is the kernel before its patches.
    ///
    /// # Errors
    ///
    /// The file system's, or [`ApplyError`] when `kernel` is not the one that
    /// this was linked for.
    pub fn write_to(
        &self,
        directory: &Path,
        kernel: &Kernel,
        symbols: &SymbolTable,
    ) -> Result<(), FileError> {
        let mut patched = kernel.clone();
        self.apply(&mut patched.bytes, patched.base)?;
        let kernel_elf = kernel_elf(&patched, symbols).map_err(FileError::Elf)?;
        let manifest = directory.join(MANIFEST);
        let mut json = serde_json::to_vec_pretty(self).map_err(|source| FileError::Manifest {
            path: manifest.clone(),
            source,
        })?;
        json.push(b'\n');
        std::fs::create_dir_all(directory).map_err(|source| FileError::Io {
            path: directory.to_owned(),
            source,
        })?;
        write(&directory.join(DRIVER_ELF), &self.driver_elf)?;
        write(&directory.join(KERNEL_ELF), &kernel_elf)?;
        write(&manifest, &json)
    }

    /// Reads what [`Transplant::write_to`] wrote; the segments' contents come
    /// from `driver.elf`.
    ///
    /// # Errors
    ///
    /// [`FileError`] names the file.
    pub fn read_from(directory: &Path) -> Result<Self, FileError> {
        let path = directory.join(MANIFEST);
        let json = read(&path)?;
        let mut transplant: Self =
            serde_json::from_slice(&json).map_err(|source| FileError::Manifest { path, source })?;
        let path = directory.join(DRIVER_ELF);
        let driver = read(&path)?;
        for segment in &mut transplant.opaque.segments {
            let bytes = load(&driver, segment.va).ok_or_else(|| FileError::Driver {
                path: path.clone(),
                why: format!("no segment at {:#010x}", segment.va),
            })?;
            if bytes.len() > segment.size as usize {
                let (found, size) = (bytes.len(), segment.size);
                return Err(FileError::Driver {
                    path: path.clone(),
                    why: format!(
                        "segment {:#010x}: {found:#x} bytes, {size:#x} in {MANIFEST}",
                        segment.va
                    ),
                });
            }
            segment.bytes = bytes.to_vec();
        }
        transplant.driver_elf = driver;
        Ok(transplant)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    std::fs::write(path, bytes).map_err(|source| FileError::Io {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|source| FileError::Io {
        path: path.to_owned(),
        source,
    })
}

/// The file's bytes of the loadable segment at `va`.
fn load(file: &[u8], va: u32) -> Option<&[u8]> {
    if !file.starts_with(b"\x7fELF") {
        return None;
    }
    let start = le32(file, 28)? as usize;
    (0..u16_at(file, 44, LE)?).find_map(|index| {
        let offset = start.checked_add(usize::from(index) * PROGRAM_HEADER_SIZE)?;
        let header: ProgramHeader = file.pread_with(offset, LE).ok()?;
        if header.p_type != PT_LOAD || header.p_vaddr != va {
            return None;
        }
        let start = header.p_offset as usize;
        file.get(start..start.checked_add(header.p_filesz as usize)?)
    })
}

/// An executable ELF file of the kernel with all symbols, for debuggers.
///
/// # Errors
///
/// It would be larger than ELF32 can hold.
pub fn kernel_elf(kernel: &Kernel, symbols: &SymbolTable) -> Result<Vec<u8>, String> {
    let size = u32::try_from(kernel.bytes.len()).map_err(|error| error.to_string())?;
    // Almost all of a Thumb-2 kernel is Thumb code, and symbol tables do not say.
    let thumb = u32::from(kernel.facts.thumb2);
    let symbols = symbols.iter().map(|symbol| {
        let function = matches!(symbol.kind, 't' | 'T' | 'w' | 'W');
        Symbol {
            name: symbol.name.clone(),
            value: if function {
                symbol.address | thumb
            } else {
                symbol.address
            },
            size: 0,
            kind: if function {
                SymbolKind::Function
            } else {
                SymbolKind::Object
            },
            global: symbol.kind.is_ascii_uppercase(),
        }
    });
    elf::write(&Image {
        entry: kernel.base,
        loads: vec![Load {
            va: kernel.base,
            bytes: &kernel.bytes,
            size,
            writable: true,
            executable: true,
        }],
        parts: vec![Part {
            name: ".kernel",
            range: kernel.base..kernel.end(),
            zero: false,
        }],
        symbols: symbols.collect(),
        debug: Vec::new(),
        attributes: attributes(kernel.facts.arch),
    })
}

/// Build attributes that name the architecture: Arm, "Addenda to, and Errata
/// in, the ABI for the Arm Architecture" (IHI 0045), section 2.3.
fn attributes(arch: Arch) -> Vec<u8> {
    const TAG_FILE: u8 = 1;
    const TAG_CPU_ARCH: u8 = 6;
    const TAG_ARM_ISA_USE: u8 = 8;
    const TAG_THUMB_ISA_USE: u8 = 9;
    let (arch, thumb) = match arch {
        Arch::V4 => (2, 1),
        Arch::V5 => (4, 1),
        Arch::V6 => (9, 1),
        Arch::V7 => (10, 2),
    };
    let pairs = [
        TAG_CPU_ARCH,
        arch,
        TAG_ARM_ISA_USE,
        1,
        TAG_THUMB_ISA_USE,
        thumb,
    ];
    let file_length = 5 + pairs.len() as u32;
    let mut section = b"aeabi\0".to_vec();
    section.push(TAG_FILE);
    section.extend(file_length.to_le_bytes());
    section.extend(pairs);
    let mut bytes = vec![b'A'];
    bytes.extend((section.len() as u32 + 4).to_le_bytes());
    bytes.extend(section);
    bytes
}
