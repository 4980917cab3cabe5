//! How far the guest came.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// A milestone of booting, in the order in which they usually come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Milestone {
    /// The processor is at the kernel's entry.
    Entered,
    /// The MMU is on.
    Mmu,
    /// `start_kernel` is called. Watched.
    StartKernel,
    /// The machine's `init_irq` is called. Watched.
    InitIrq,
    /// An interrupt is taken while a timer asks for one.
    FirstTick,
    /// The console sends its first byte.
    Console,
    /// The initcalls are through. Watched.
    Initcalls,
    /// User mode runs its first instruction.
    Userspace,
}

impl Milestone {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Entered,
        Self::Mmu,
        Self::StartKernel,
        Self::InitIrq,
        Self::FirstTick,
        Self::Console,
        Self::Initcalls,
        Self::Userspace,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Mmu => "mmu",
            Self::StartKernel => "start_kernel",
            Self::InitIrq => "init_irq",
            Self::FirstTick => "first_tick",
            Self::Console => "console",
            Self::Initcalls => "initcalls",
            Self::Userspace => "userspace",
        }
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a milestone was reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Which one.
    pub milestone: Milestone,
    /// Instructions retired before it.
    pub instructions: u64,
    /// Virtual time.
    pub time: Time,
}
