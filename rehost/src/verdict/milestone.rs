//! The steps of a boot, in their order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A step of a boot. The order of the variants is the order in which a kernel
/// passes them; a kernel may leave some out (no console, for one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Milestone {
    /// The kernel's first instruction ran.
    Entered,
    /// The MMU was switched on.
    Mmu,
    /// `start_kernel` was called.
    StartKernel,
    /// The driver's interrupt controller was set up.
    InitIrq,
    /// The first interrupt of the timer was taken.
    FirstTick,
    /// The UART sent its first byte.
    Console,
    /// The built-in start-up functions are through.
    Initcalls,
    /// The first instruction in user mode ran.
    Userspace,
    /// A prompt of the user space in use.
    Shell,
}

impl Milestone {
    /// All of them in order.
    pub const ALL: [Milestone; 9] = [
        Milestone::Entered,
        Milestone::Mmu,
        Milestone::StartKernel,
        Milestone::InitIrq,
        Milestone::FirstTick,
        Milestone::Console,
        Milestone::Initcalls,
        Milestone::Userspace,
        Milestone::Shell,
    ];

    /// The name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Milestone::Entered => "entered",
            Milestone::Mmu => "mmu",
            Milestone::StartKernel => "start_kernel",
            Milestone::InitIrq => "init_irq",
            Milestone::FirstTick => "first_tick",
            Milestone::Console => "console",
            Milestone::Initcalls => "initcalls",
            Milestone::Userspace => "userspace",
            Milestone::Shell => "shell",
        }
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Milestone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Milestone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(de::Error::custom)
    }
}

impl FromStr for Milestone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|one| one.name() == text)
            .ok_or_else(|| {
                let names: Vec<&str> = Self::ALL.iter().map(|one| one.name()).collect();
                format!("expected one of {}", names.join(", "))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for one in Milestone::ALL {
            assert_eq!(one.name().parse(), Ok(one));
        }
        expect_test::expect![
            "expected one of entered, mmu, start_kernel, init_irq, first_tick, console, initcalls, userspace, shell"
        ]
        .assert_eq(&"prompt".parse::<Milestone>().unwrap_err());
    }
}
