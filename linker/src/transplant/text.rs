//! A transplant as text, for `ecmo-link dump`.

use std::fmt;

use super::Transplant;

impl fmt::Display for Transplant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opaque = &self.opaque;
        let end = opaque.base.wrapping_add(opaque.size);
        writeln!(out, "kernel {}", self.release)?;
        writeln!(out, "\nopaque {:#010x}..{end:#010x}", opaque.base)?;
        for segment in &opaque.segments {
            let kind = if segment.writable { "rw-" } else { "r-x" };
            let (va, size, used) = (segment.va, segment.size, segment.bytes.len());
            writeln!(
                out,
                "  {va:#010x} {size:#7x} {kind} {used:#x} bytes in the file"
            )?;
        }
        for chip in &opaque.chips {
            write!(
                out,
                "  {:#010x}         rw- {} at {:#010x}",
                chip.va, chip.chip, chip.phys
            )?;
            if let Some(irq) = chip.irq {
                write!(out, ", irq {irq}")?;
            }
            if let Some(clock) = chip.clock_hz {
                write!(out, ", {clock} Hz")?;
            }
            writeln!(out)?;
        }
        heading(out, "forwards", self.forwards.len())?;
        for forward in &self.forwards {
            writeln!(out, "  {} -> {:#010x}", forward.place, forward.target)?;
            for va in &forward.at {
                writeln!(out, "    at {va:#010x}")?;
            }
        }
        heading(out, "slots", self.slots.len())?;
        for slot in &self.slots {
            writeln!(
                out,
                "  {:#010x} = {:#010x} {} ({})",
                slot.va, slot.value, slot.name, slot.evidence
            )?;
        }
        heading(out, "by name", self.by_name.len())?;
        for used in &self.by_name {
            write!(
                out,
                "  {:#010x} {} ({})",
                used.value, used.name, used.evidence
            )?;
            for va in &used.veneers {
                write!(out, " by {va:#010x}")?;
            }
            writeln!(out)?;
        }
        heading(out, "patches", self.patches.len())?;
        for patch in &self.patches {
            let (old, new) = (hex(&patch.old), hex(&patch.new));
            writeln!(out, "  {:#010x} {old} -> {new} {}", patch.va, patch.why)?;
        }
        heading(out, "left out", self.left_out.len())?;
        for left in &self.left_out {
            writeln!(out, "  {}: {}", left.what, left.why)?;
        }
        Ok(())
    }
}

fn heading(out: &mut fmt::Formatter<'_>, what: &str, count: usize) -> fmt::Result {
    writeln!(out, "\n{what}: {count}")
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}
