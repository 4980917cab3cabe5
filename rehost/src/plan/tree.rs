//! The device tree of a boot.
//!
//! Without one of the user's we make it: memory, one processor, the command
//! line and, where the kernel's own driver is to serve the console, its UART.
//! Nothing of the vendor's, so that drivers for chips that are not there do not
//! probe. A tree of the user's keeps all it has; memory and `/chosen` are ours.

use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use dtoolkit::{Node, Property, ToPropertyValue};
use linker::machine::Descriptor;
use linker::transplant::ChipPage;

use super::{Cpu, Error, Ram};

/// UART clock when the board says nothing of it, in hertz: that of a PC.
const UART_CLOCK: u32 = 1_843_200;

/// What every tree tells, also one of the user's.
#[derive(Debug, Clone, Copy)]
pub struct Boot<'a> {
    /// The bank of RAM.
    pub ram: Ram,
    /// The kernel's command line.
    pub command_line: &'a str,
    /// Initial RAM disk: physical address and size in bytes.
    pub initrd: Option<(u32, u32)>,
}

/// A tree from nothing, as it lies in memory. `descriptor` is what its root is to
/// match, `uart` the chip that the kernel's own driver serves.
pub fn build(
    boot: &Boot,
    cpu: &Cpu,
    descriptor: Option<&Descriptor>,
    uart: Option<&ChipPage>,
) -> Vec<u8> {
    let mut tree = DeviceTree::new();
    let root = &mut tree.root;
    set(root, "#address-cells", 1_u32);
    set(root, "#size-cells", 1_u32);
    set(root, "model", "ecmo");
    let compatible: Vec<&str> = match descriptor {
        Some(one) if !one.compatible.is_empty() => {
            one.compatible.iter().map(String::as_str).collect()
        }
        _ => vec!["ecmo,machine"],
    };
    set(root, "compatible", compatible.as_slice());
    set_boot(root, boot);

    let cpus = root.add_child_mut(DeviceTreeNode::new_unchecked("cpus"));
    set(cpus, "#address-cells", 1_u32);
    set(cpus, "#size-cells", 0_u32);
    let node = cpus.add_child_mut(DeviceTreeNode::new_unchecked("cpu@0"));
    set(node, "device_type", "cpu");
    set(node, "compatible", cpu.model.compatible());
    set(node, "reg", 0_u32);

    if let Some(uart) = uart {
        let name = format!("serial@{:x}", uart.phys);
        // The alias makes it ttyS0.
        let aliases = root.add_child_mut(DeviceTreeNode::new_unchecked("aliases"));
        set(aliases, "serial0", format!("/{name}"));
        let node = root.add_child_mut(DeviceTreeNode::new_unchecked(name));
        set(node, "compatible", "ns16550a");
        set(node, "reg", [uart.phys, linker::transplant::PAGE]);
        set(node, "reg-shift", 0_u32);
        set(node, "clock-frequency", uart.clock_hz.unwrap_or(UART_CLOCK));
        // No `interrupts`: the interrupt parent would have to be a node with a
        // driver. The kernel polls the UART with a timer instead.
    }
    tree.to_dtb()
}

/// A tree of the user's with our memory and `/chosen`.
pub fn adapt(given: &[u8], boot: &Boot) -> Result<Vec<u8>, Error> {
    let parsed = Fdt::new(given).map_err(|error| Error::Tree(error.to_string()))?;
    let mut tree = DeviceTree::from_fdt(&parsed);
    set_boot(&mut tree.root, boot);
    Ok(tree.to_dtb())
}

/// Memory and `/chosen`, in place of those that are there.
fn set_boot(root: &mut DeviceTreeNode, boot: &Boot) {
    let cells = |name| match root.property(name).map(|cells| cells.value_as::<u32>()) {
        Some(Ok(count)) => count,
        // Defaults of the device tree specification, 2.3.5.
        _ if name == "#address-cells" => 2,
        _ => 1,
    };
    let mut reg = Vec::new();
    for (value, cells) in [
        (boot.ram.base, cells("#address-cells")),
        (boot.ram.size, cells("#size-cells")),
    ] {
        if cells == 2 {
            reg.push(0);
        }
        reg.push(value);
    }
    let memories: Vec<String> = root
        .children()
        .map(|child| child.name().to_owned())
        .filter(|name| name == "memory" || name.starts_with("memory@"))
        .collect();
    for name in &memories {
        root.remove_child(name);
    }
    let memory = format!("memory@{:x}", boot.ram.base);
    let memory = root.add_child_mut(DeviceTreeNode::new_unchecked(memory));
    set(memory, "device_type", "memory");
    set(memory, "reg", reg);

    if root.child("chosen").is_none() {
        root.add_child(DeviceTreeNode::new_unchecked("chosen"));
    }
    if let Some(chosen) = root.child_mut("chosen") {
        set(chosen, "bootargs", boot.command_line);
        if let Some((address, size)) = boot.initrd {
            set(chosen, "linux,initrd-start", address);
            set(chosen, "linux,initrd-end", address.wrapping_add(size));
        }
    }
}

/// Adds a property, or replaces the one of that name.
fn set(node: &mut DeviceTreeNode, name: &str, value: impl ToPropertyValue) {
    node.add_property(DeviceTreeProperty::new_unchecked(name, value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Model;

    const BOOT: Boot = Boot {
        ram: Ram {
            base: 0x8000_0000,
            size: 0x0800_0000,
        },
        command_line: "console=ttyS0,115200",
        initrd: Some((0x8700_0000, 0x1234)),
    };

    /// The tree as a person reads it: one property a line.
    fn text(bytes: &[u8]) -> String {
        let tree = Fdt::new(bytes).unwrap();
        tree.to_string()
    }

    #[test]
    fn our_tree() {
        let cpu = Cpu {
            model: Model::Arm11MpCore,
            midr: None,
        };
        let descriptor = Descriptor {
            va: 0xc03c_6f00,
            nr: u32::MAX,
            name: "Vendor board".into(),
            compatible: vec!["vendor,board".into(), "vendor,chip".into()],
        };
        let uart = ChipPage {
            chip: "uart16550".into(),
            va: 0xd001_7000,
            phys: 0xfeec_2000,
            irq: Some(5),
            clock_hz: Some(1_843_200),
        };
        let bytes = build(&BOOT, &cpu, Some(&descriptor), Some(&uart));
        expect_test::expect![[r#"
            /dts-v1/;

            / {
                #address-cells = <0x01>;
                #size-cells = <0x01>;
                model = "ecmo";
                compatible = "vendor,board", "vendor,chip";

                memory@80000000 {
                    device_type = "memory";
                    reg = <0x80000000 0x8000000>;
                };

                chosen {
                    bootargs = "console=ttyS0,115200";
                    linux,initrd-start = <0x87000000>;
                    linux,initrd-end = <0x87001234>;
                };

                cpus {
                    #address-cells = <0x01>;
                    #size-cells = <0x00>;

                    cpu@0 {
                        device_type = "cpu";
                        compatible = "arm,arm11mpcore";
                        reg = <0x00>;
                    };
                };

                aliases {
                    serial0 = "/serial@feec2000";
                };

                serial@feec2000 {
                    compatible = "ns16550a";
                    reg = <0xfeec2000 0x1000>;
                    reg-shift = <0x00>;
                    clock-frequency = <0x1c2000>;
                };
            };
        "#]]
        .assert_eq(&text(&bytes));
    }

    #[test]
    fn a_tree_of_the_users_keeps_its_nodes() {
        let mut given = DeviceTree::new();
        set(&mut given.root, "#address-cells", 1_u32);
        set(&mut given.root, "#size-cells", 1_u32);
        let memory = given
            .root
            .add_child_mut(DeviceTreeNode::new_unchecked("memory"));
        set(memory, "reg", [0_u32, 0x100_0000]);
        let chosen = given
            .root
            .add_child_mut(DeviceTreeNode::new_unchecked("chosen"));
        set(chosen, "stdout-path", "/uart");
        given.root.add_child(DeviceTreeNode::new_unchecked("uart"));
        let bytes = adapt(&given.to_dtb(), &BOOT).unwrap();
        expect_test::expect![[r#"
            /dts-v1/;

            / {
                #address-cells = <0x01>;
                #size-cells = <0x01>;

                chosen {
                    stdout-path = "/uart";
                    bootargs = "console=ttyS0,115200";
                    linux,initrd-start = <0x87000000>;
                    linux,initrd-end = <0x87001234>;
                };

                uart {
                };

                memory@80000000 {
                    device_type = "memory";
                    reg = <0x80000000 0x8000000>;
                };
            };
        "#]]
        .assert_eq(&text(&bytes));
    }

    #[test]
    fn bytes_that_are_no_tree_are_refused() {
        assert!(adapt(b"not a tree", &BOOT).is_err());
    }
}
