//! `ecmo inspect`: what is inside an image.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use linker::files;
use linker::image::{Firmware, Layer, LayerKind};
use linker::kernel::Facts;
use linker::machine::{self, Machines};
use linker::symbols::{self, SymbolTable};
use serde::Serialize;

use super::{DONE, is_stdout, print, read, text, write_json};
use crate::pipeline::{Error, prepare};
use crate::report::Hex;

/// Show what is inside a firmware image: containers, kernel, trees, file systems
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ecmo inspect firmware.bin")]
pub struct Arguments {
    /// Firmware image
    image: PathBuf,
    /// Write it as one JSON object; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The JSON of this command.
#[derive(Debug, Serialize)]
struct Inspection<'a> {
    image: String,
    layers: &'a [Layer],
    kernel: &'a Facts,
    kernel_bytes: usize,
    load_address: Option<Hex>,
    machines: &'a [machine::Descriptor],
    processors: &'a [machine::Processor],
    symbols: usize,
    warnings: &'a [String],
}

/// The command.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, Error> {
    let name = arguments.image.display().to_string();
    let mut firmware = prepare::open(&name, &read(&arguments.image)?)?;
    count_files(&mut firmware);
    let symbols = symbols::recover(&firmware.kernel);
    let machines = machine::find(&firmware.kernel, &symbols);
    write_json(
        arguments.json.as_deref(),
        &Inspection {
            image: name,
            layers: &firmware.layers,
            kernel: &firmware.kernel.facts,
            kernel_bytes: firmware.kernel.bytes.len(),
            load_address: firmware.load_address.map(Hex),
            machines: &machines.descriptors,
            processors: &machines.processors,
            symbols: symbols.len(),
            warnings: &firmware.warnings,
        },
    )?;
    if !is_stdout(arguments.json.as_deref()) {
        print(&describe(&firmware, &machines, &symbols))?;
    }
    Ok(DONE)
}

/// Adds to what is said of each file system how many files it has.
fn count_files(firmware: &mut Firmware) {
    for one in &firmware.file_systems {
        let count = match files::read(one.kind, &one.bytes, files::Limits::default()) {
            Ok(files) => format!("{} files", files.len()),
            Err(error) => format!("files unknown ({error})"),
        };
        let layer = firmware.layers.iter_mut().find(|layer| {
            layer.what == LayerKind::FileSystem
                && (layer.space, layer.offset) == (one.place.space, one.place.offset)
        });
        if let Some(layer) = layer {
            layer.text = format!("{}, {count}", layer.text);
        }
    }
}

/// The whole for a person.
fn describe(firmware: &Firmware, machines: &Machines, symbols: &SymbolTable) -> String {
    let mut text = layers(&firmware.layers);
    text.push('\n');
    text += &kernel(
        &firmware.kernel.facts,
        firmware.kernel.bytes.len(),
        firmware.load_address,
    );
    let _ = writeln!(text, "symbols         {}", symbols.len());
    if firmware.config.is_some() {
        text += "configuration   inside the kernel\n";
    }
    for processor in &machines.processors {
        let _ = writeln!(
            text,
            "processor       {:#010x} under mask {:#010x}, {}",
            processor.value, processor.mask, processor.arch_name
        );
    }
    for descriptor in &machines.descriptors {
        text += &machine_line(descriptor);
    }
    for warning in &firmware.warnings {
        let _ = writeln!(text, "warning         {warning}");
    }
    text
}

/// The layers as a table, what lies in another indented below it.
fn layers(layers: &[Layer]) -> String {
    let rows: Vec<[String; 4]> = layers
        .iter()
        .map(|layer| {
            let offset = match layer.space {
                0 => format!("{:#x}", layer.offset),
                space => format!("{:#x} in part {space}", layer.offset),
            };
            [
                format!("{}{}", "  ".repeat(layer.depth), layer.what),
                offset,
                layer.len.to_string(),
                layer.text.clone(),
            ]
        })
        .collect();
    text::table(["what", "offset", "bytes", ""], &rows)
}

/// What the kernel's bytes say of it.
fn kernel(facts: &Facts, length: usize, load_address: Option<u32>) -> String {
    let yes = |value: bool| if value { "yes" } else { "no" };
    let ram = match facts.phys_offset {
        Some(base) => format!("{base:#010x}, fixed"),
        None => "anywhere (the kernel patches itself)".to_owned(),
    };
    let load = load_address.map_or("not said".to_owned(), |address| format!("{address:#010x}"));
    let Facts {
        release,
        banner,
        arch,
        page_offset,
        text_offset,
        ..
    } = facts;
    format!(
        "release         {release}
banner          {}
kernel          {length} bytes
architecture    {}
page offset     {page_offset:#010x}
text offset     {text_offset:#x}
RAM             {ram}
load address    {load}
SMP             {}
Thumb-2         {}
LPAE            {}
device tree     {}
",
        banner.trim_end(),
        text::architecture(*arch),
        yes(facts.smp),
        yes(facts.thumb2),
        yes(facts.lpae),
        yes(facts.device_tree),
    )
}

fn machine_line(descriptor: &machine::Descriptor) -> String {
    let mut line = format!("machine         {}", descriptor.name);
    if descriptor.nr != u32::MAX {
        let _ = write!(line, ", number {}", descriptor.nr);
    }
    if !descriptor.compatible.is_empty() {
        let _ = write!(
            line,
            ", compatible with {}",
            descriptor.compatible.join(", ")
        );
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use linker::kernel::{Arch, Version};

    use super::*;

    #[test]
    fn layers_are_indented() {
        let layer = |space, offset, depth, what, text: &str| Layer {
            space,
            offset,
            len: 1000,
            depth,
            what,
            text: text.into(),
        };
        let list = [
            layer(0, 0, 0, LayerKind::UImage, "Linux-4.9.190"),
            layer(0, 0x40, 1, LayerKind::ZImage, ""),
            layer(1, 0, 2, LayerKind::Kernel, "Linux 4.9.190"),
        ];
        expect_test::expect![[r#"
            what        offset         bytes
            uImage      0x0            1000   Linux-4.9.190
              zImage    0x40           1000
                kernel  0x0 in part 1  1000   Linux 4.9.190
        "#]]
        .assert_eq(&layers(&list));
    }

    #[test]
    fn kernel_facts() {
        let facts = Facts {
            banner: "Linux version 4.9.190 (a@b) #1\n".into(),
            arch: Arch::V5,
            ..Facts::usual(Version(4, 9, 190))
        };
        expect_test::expect![[r#"
            release         4.9.190
            banner          Linux version 4.9.190 (a@b) #1
            kernel          3600000 bytes
            architecture    Armv5
            page offset     0xc0000000
            text offset     0x8000
            RAM             anywhere (the kernel patches itself)
            load address    0x00008000
            SMP             no
            Thumb-2         no
            LPAE            no
            device tree     yes
        "#]]
        .assert_eq(&kernel(&facts, 3_600_000, Some(0x8000)));
    }

    #[test]
    fn machines() {
        let descriptor = machine::Descriptor {
            va: 0xc050_0000,
            nr: 1661,
            name: "Linksys WRT350N v2".into(),
            compatible: vec!["linksys,wrt350n-v2".into()],
        };
        expect_test::expect![[r#"
            machine         Linksys WRT350N v2, number 1661, compatible with linksys,wrt350n-v2
        "#]]
        .assert_eq(&machine_line(&descriptor));
    }
}
