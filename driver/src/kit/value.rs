//! Constants of the kernel and facts about the modelled chips.

/// Declares constants whose value differs between kernel versions, under the
/// name that C has for them. Those that never changed are plain Rust constants.
///
/// A `required` one becomes a function that returns `usize`, another one that
/// returns `Option<usize>`.
///
/// ```
/// driver::constant! {
///     /// include/linux/interrupt.h.
///     optional IRQF_TIMER;
/// }
///
/// let flags = IRQF_TIMER().unwrap_or(0x200);
/// # assert_eq!(flags, 0x200);
/// ```
#[macro_export]
macro_rules! constant {
    ($(
        $(#[doc = $doc:literal])*
        $vis:vis $need:ident $(($group:literal))? $name:ident;
    )*) => {$(
        $crate::__slot!(value, $vis $name, stringify!($name));
        $crate::__note!(
            Constant, $crate::__need!($need), &raw const $name::SLOT as *const (),
            stringify!($name), concat!($($group)?),
            $crate::note::Declaration::Text(stringify!($name)),
            concat!($($doc),*)
        );
        $crate::__value!($need, [$(#[doc = $doc])*] [$vis] $name);
    )*};
}

/// The accessor of one constant.
#[doc(hidden)]
#[macro_export]
macro_rules! __value {
    (required, [$($doc:tt)*] [$vis:vis] $name:ident) => {
        $($doc)*
        #[allow(non_snake_case, reason = "the kernel's name")]
        #[inline(always)]
        $vis fn $name() -> usize {
            $name::SLOT.read()
        }
    };
    ($need:ident, [$($doc:tt)*] [$vis:vis] $name:ident) => {
        $($doc)*
        #[allow(non_snake_case, reason = "the kernel's name")]
        #[inline(always)]
        $vis fn $name() -> Option<usize> {
            $name::SLOT.value_if_known()
        }
    };
}

/// Declares a chip that the machine models, so that the driver learns where it
/// is: `pl190::va()`, `pl190::phys()`, `pl190::irq()`, `pl190::clock_hz()`.
///
/// `va` is where the driver reaches the registers, with no mapping to be made;
/// `phys` is the physical address to tell a driver of the kernel's own; `irq` is
/// the line at PL190, which is the Linux interrupt number too; `clock_hz` is the
/// frequency of the chip's clock. The doc comment is one line: its manual.
///
/// ```
/// driver::chip! {
///     /// ARM DDI 0181.
///     chip pl190 { va }
/// }
/// # let _ = pl190::va;
/// ```
#[macro_export]
macro_rules! chip {
    ($(
        #[doc = $doc:literal]
        $vis:vis chip $name:ident { $($fact:ident),* $(,)? }
    )*) => {$(
        #[doc = $doc]
        $vis mod $name {
            $(
                $crate::__slot!(
                    value, pub(crate) $fact, stringify!($name), ".", stringify!($fact)
                );
                $crate::__note!(
                    Chip, $crate::note::REQUIRED, &raw const $fact::SLOT as *const (),
                    concat!(stringify!($name), ".", stringify!($fact)), "",
                    $crate::note::Declaration::Text(""), $doc
                );
                #[doc = concat!("`", stringify!($name), ".", stringify!($fact), "`.")]
                #[inline(always)]
                pub(crate) fn $fact() -> usize {
                    $fact::SLOT.read()
                }
            )*
        }
    )*};
}
