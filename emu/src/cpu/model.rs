//! The processors that can be emulated, and what tells them apart for us.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicorn_engine::ArmCpuModel;

/// An ARM core. The identification register can be changed apart from it, see
/// [`crate::machine::Config::midr`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CpuModel {
    /// ARM926EJ-S: Armv5TEJ.
    Arm926,
    /// ARM1176JZF-S: Armv6K with security extensions.
    Arm1176,
    /// ARM11 MPCore: Armv6K with multiprocessing extensions.
    Arm11MpCore,
    /// Cortex-A7: Armv7-A with virtualization extensions.
    CortexA7,
    /// Cortex-A8: Armv7-A without multiprocessing extensions (no `pldw`).
    CortexA8,
    /// Cortex-A9: Armv7-A.
    CortexA9,
    /// Cortex-A15: Armv7-A with virtualization extensions.
    CortexA15,
}

/// The generations of the architecture that differ in page tables and CP15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// Armv5 (and Armv4 kernels on it).
    V5,
    /// Armv6 and Armv6K.
    V6,
    /// Armv7-A.
    V7,
}

impl CpuModel {
    /// Every model, oldest architecture first.
    pub const ALL: [Self; 7] = [
        Self::Arm926,
        Self::Arm1176,
        Self::Arm11MpCore,
        Self::CortexA7,
        Self::CortexA8,
        Self::CortexA9,
        Self::CortexA15,
    ];

    /// The name in lower case, as `qemu-system-arm -cpu` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm926 => "arm926",
            Self::Arm1176 => "arm1176",
            Self::Arm11MpCore => "arm11mpcore",
            Self::CortexA7 => "cortex-a7",
            Self::CortexA8 => "cortex-a8",
            Self::CortexA9 => "cortex-a9",
            Self::CortexA15 => "cortex-a15",
        }
    }

    /// The model with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }

    /// The architecture that the model implements.
    pub fn architecture(self) -> Architecture {
        match self {
            Self::Arm926 => Architecture::V5,
            Self::Arm1176 | Self::Arm11MpCore => Architecture::V6,
            _ => Architecture::V7,
        }
    }

    /// Whether it has the security extensions, and with them VBAR, which moves
    /// the exception vectors.
    pub(crate) fn has_security(self) -> bool {
        !matches!(self, Self::Arm926 | Self::Arm11MpCore)
    }

    /// Whether it has the large physical address extension: long descriptors,
    /// and a privileged-execute-never bit in short ones (DDI 0406C B3.5.1).
    pub(crate) fn has_lpae(self) -> bool {
        matches!(self, Self::CortexA7 | Self::CortexA15)
    }

    /// Whether it has a hypervisor mode, and with it a register that the other modes
    /// read for the identification (VPIDR, DDI 0406C B4.1.162).
    pub(crate) fn has_virtualization(self) -> bool {
        matches!(self, Self::CortexA7 | Self::CortexA15)
    }

    pub(crate) fn unicorn(self) -> i32 {
        let model = match self {
            Self::Arm926 => ArmCpuModel::Model_926,
            Self::Arm1176 => ArmCpuModel::Model_1176,
            Self::Arm11MpCore => ArmCpuModel::Model_11MPCORE,
            Self::CortexA7 => ArmCpuModel::CORTEX_A7,
            Self::CortexA8 => ArmCpuModel::CORTEX_A8,
            Self::CortexA9 => ArmCpuModel::CORTEX_A9,
            Self::CortexA15 => ArmCpuModel::CORTEX_A15,
        };
        model as i32
    }
}

impl fmt::Display for CpuModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
