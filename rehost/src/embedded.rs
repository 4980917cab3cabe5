//! What lies inside the program, so that an installed `ecmo` is one file: the
//! driver libraries and the busybox binaries. `build.rs` puts them together.

/// Driver library for Armv7-A kernels, a static library.
pub const DRIVER_ARMV7: &[u8] = include_bytes!(env!("ECMO_DRIVER_ARMV7"));
/// Driver library for kernels of earlier architectures, Armv5TE code.
pub const DRIVER_ARMV5: &[u8] = include_bytes!(env!("ECMO_DRIVER_ARMV5"));
/// Debian's busybox-static for `armel`: Armv5TE, soft float.
pub const BUSYBOX_ARMEL: &[u8] = include_bytes!(env!("ECMO_BUSYBOX_ARMEL"));
/// Debian's busybox-static for `armhf`: Armv7, VFP.
pub const BUSYBOX_ARMHF: &[u8] = include_bytes!(env!("ECMO_BUSYBOX_ARMHF"));
