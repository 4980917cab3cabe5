//! Forward pointers: what the kernel must call in the driver.

/// Says which functions of the driver the kernel calls, and from where.
///
/// Each item names a place, or several by `|` of which the first is taken that
/// the kernel has, then the function with its signature, which must be
/// `extern "C"` and be defined in the same module. Places are the callbacks of
/// `struct machine_desc` (arch/arm/include/asm/mach/arch.h), among them:
///
/// | place | called | signature |
/// |---|---|---|
/// | `machine_desc.init_irq` | by `init_IRQ`, interrupts off | `fn()` |
/// | `machine_desc.init_time` | by `time_init`, interrupts off | `fn()` |
/// | `machine_desc.timer` | the same, by way of a `struct sys_timer`, to 3.8 | `fn()` |
/// | `sys_timer.offset` | for the microseconds since the last tick, where the kernel has no clock source | `fn() -> usize` |
/// | `system_call.stat64` and its like | for the call, by programs of the EABI on a kernel of the old ABI | that of the call |
/// | `machine_desc.init_machine` | by `customize_machine`, an arch_initcall | `fn()` |
/// | `machine_desc.init_late` | by `init_machine_late`, a late_initcall | `fn()` |
/// | `machine_desc.handle_irq` | for every interrupt, where the kernel has the field | `fn(regs)` |
/// | `irq_entry` | for every interrupt, where the vectors' code asks the chip itself | `fn(regs)` |
///
/// A field of `machine_desc` is overwritten in every machine descriptor of the
/// kernel: what stood there is not called. Where several drivers are linked
/// together and want one place, all of them are called.
///
/// * `required`: the driver is of no use without it; the linker says what was
///   missing and gives up.
/// * `optional`: left out, and the kernel keeps its own, when something
///   required that it reaches cannot be had.
/// * `group("word")`: one forward of the group is enough.
/// * `optional("word")`: of a group too, and it does not matter if none can be
///   had.
///
/// Of a group's forwards for one place only one is installed, and a number
/// behind the word, 0 unless given, says which: the lowest that can be had
/// (`optional("uart", 1)`).
///
/// ```
/// driver::forward! {
///     /// A greeting after everything else, or earlier in kernels before 3.5.
///     optional machine_desc.init_late | machine_desc.init_machine => fn hello();
/// }
///
/// extern "C" fn hello() {}
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! forward {
    ($(
        $(#[doc = $doc:literal])*
        $need:ident $(($group:literal $(, $rank:literal)?))? $place:ident $(. $field:ident)?
            $(| $other:ident $(. $other_field:ident)?)* => fn $function:ident(
            $($argument:ident: $type:ty),* $(,)?
        ) $(-> $returns:ty)?;
    )*) => {$(
        $crate::__note!(
            Forward, $crate::__need!($need) $($(| $crate::note::rank($rank))?)?,
            {
                // Checks the signature as well.
                let function: extern "C" fn($($type),*) $(-> $returns)? = $function;
                function as *const ()
            },
            concat!(
                stringify!($place) $(, ".", stringify!($field))?
                $(, "|", stringify!($other) $(, ".", stringify!($other_field))?)*
            ),
            concat!($($group)?),
            $crate::note::Declaration::Function(
                <$crate::__returns!($($returns)?) as $crate::kit::c::Type>::NAME,
                stringify!($function),
                &[$((stringify!($argument), <$type as $crate::kit::c::Type>::NAME)),*],
            ),
            concat!($($doc),*)
        );
    )*};
}
