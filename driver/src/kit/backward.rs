//! Backward pointers: what the driver calls in the kernel.

use super::c;

/// A kernel function that the driver only passes on, as `handle_level_irq` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Function(*const ());

impl Function {
    /// The function at an address; bit 0 set when it is Thumb code.
    #[inline(always)]
    pub const fn at(address: usize) -> Self {
        Function(core::ptr::without_provenance(address))
    }

    /// Its address.
    #[inline(always)]
    pub fn address(self) -> usize {
        self.0.addr()
    }
}

impl c::Type for Function {
    const NAME: c::Name = c::Name::Function(&c::Name::Plain("void"), &[]);
}

/// Declares kernel functions and variables.
///
/// Each item has a doc comment, which goes into the object file and should name
/// the kernel's source file and the versions that have it, and says how much
/// the driver needs it:
///
/// * `required`: linking fails without it, if any code in use calls it;
/// * `optional`: the driver asks whether it is there;
/// * `group("word")`: of all items of the group that are in use, one must be
///   there; the driver asks for each.
///
/// and one of three forms:
///
/// * `fn name(argument: Type, ...) -> Type;`: a function to call. A required one
///   becomes an `unsafe fn` of that name, another a function of that name that
///   returns `Option<unsafe extern "C" fn(...)>`.
/// * `fn name;`: a function to pass on: returns a [`Function`](crate::kit::Function),
///   or `Option<Function>`.
/// * `static name: Type;`: a variable: returns `*mut Type`, or
///   `Option<*mut Type>`.
///
/// `as "_printk|printk"` behind an item names the kernel's symbols where they
/// differ from the Rust name, the preferred first.
///
/// ```
/// use core::ffi::c_char;
///
/// driver::backward! {
///     /// kernel/printk/printk.c; called `printk` before 5.15.
///     required fn printk(format: *const c_char, argument: usize) -> i32 as "_printk|printk";
///     /// kernel/irq/chip.c, 2.6.39 and later.
///     optional fn irq_modify_status(irq: u32, clear: usize, set: usize);
///     /// kernel/irq/chip.c.
///     required fn handle_level_irq;
///     /// init/version.c.
///     optional static linux_banner: c_char;
/// }
///
/// fn allow(irq: u32) {
///     if let Some(irq_modify_status) = irq_modify_status() {
///         // SAFETY: it may be called for every number below NR_IRQS.
///         unsafe { irq_modify_status(irq, 1 << 11, 0) };
///     }
/// }
/// # let _ = (allow, printk, handle_level_irq, linux_banner);
/// ```
///
/// The call itself loads the slot and branches to it, so the kernel may be any
/// distance away and may be Thumb code. The macro stands at module level: it
/// makes, for each item, a module of the same name that holds the slot.
#[macro_export]
macro_rules! backward {
    () => {};
    (
        $(#[doc = $doc:literal])*
        $vis:vis $need:ident $(($group:literal))? fn $name:ident(
            $($argument:ident: $type:ty),* $(,)?
        ) $(-> $returns:ty)? $(as $names:literal)?;
        $($rest:tt)*
    ) => {
        $crate::__slot!(pointer, $vis $name, stringify!($name));
        $crate::__note!(
            Backward, $crate::__need!($need), &raw const $name::SLOT as *const (),
            $crate::__names!($name $(, $names)?), concat!($($group)?),
            $crate::note::Declaration::Function(
                <$crate::__returns!($($returns)?) as $crate::kit::c::Type>::NAME,
                stringify!($name),
                &[$((stringify!($argument), <$type as $crate::kit::c::Type>::NAME)),*],
            ),
            concat!($($doc),*)
        );
        $crate::__call!(
            $need, [$(#[doc = $doc])*] [$vis] $name($($argument: $type),*)
            ($crate::__returns!($($returns)?))
        );
        $crate::backward! { $($rest)* }
    };
    (
        $(#[doc = $doc:literal])*
        $vis:vis $need:ident $(($group:literal))? fn $name:ident $(as $names:literal)?;
        $($rest:tt)*
    ) => {
        $crate::__slot!(pointer, $vis $name, stringify!($name));
        $crate::__note!(
            Backward, $crate::__need!($need), &raw const $name::SLOT as *const (),
            $crate::__names!($name $(, $names)?), concat!($($group)?),
            $crate::note::Declaration::Text(concat!(stringify!($name), "()")),
            concat!($($doc),*)
        );
        $crate::__pointer!(
            $need, [$(#[doc = $doc])*] [$vis] $name ($crate::kit::Function) $crate::kit::Function::at
        );
        $crate::backward! { $($rest)* }
    };
    (
        $(#[doc = $doc:literal])*
        $vis:vis $need:ident $(($group:literal))? static $name:ident: $type:ty
            $(as $names:literal)?;
        $($rest:tt)*
    ) => {
        $crate::__slot!(pointer, $vis $name, stringify!($name));
        $crate::__note!(
            Backward, $crate::__need!($need) | $crate::note::DATA,
            &raw const $name::SLOT as *const (),
            $crate::__names!($name $(, $names)?), concat!($($group)?),
            $crate::note::Declaration::Variable(
                <$type as $crate::kit::c::Type>::NAME, stringify!($name),
            ),
            concat!($($doc),*)
        );
        $crate::__pointer!(
            $need, [$(#[doc = $doc])*] [$vis] $name (*mut $type)
            core::ptr::with_exposed_provenance_mut::<$type>
        );
        $crate::backward! { $($rest)* }
    };
}

/// What a backward pointer to a function looks like to its caller.
#[doc(hidden)]
#[macro_export]
macro_rules! __call {
    (required, [$($doc:tt)*] [$vis:vis] $name:ident($($argument:ident: $type:ty),*) ($returns:ty)) => {
        $($doc)*
        ///
        /// # Safety
        ///
        /// As the kernel's own function asks of its callers.
        #[allow(non_snake_case, reason = "the kernel's name")]
        #[inline(always)]
        $vis unsafe fn $name($($argument: $type),*) -> $returns {
            let address = core::ptr::with_exposed_provenance::<()>($name::SLOT.read());
            // SAFETY: the linker refuses a driver whose required slot is empty, so
            // the slot holds the address of the kernel's function, which has this
            // signature as its declaration says. The rest is up to the caller.
            unsafe {
                let function = core::mem::transmute::<
                    *const (),
                    unsafe extern "C" fn($($type),*) -> $returns,
                >(address);
                function($($argument),*)
            }
        }
    };
    ($need:ident, [$($doc:tt)*] [$vis:vis] $name:ident($($argument:ident: $type:ty),*) ($returns:ty)) => {
        $($doc)*
        #[allow(non_snake_case, reason = "the kernel's name")]
        #[inline(always)]
        $vis fn $name() -> Option<unsafe extern "C" fn($($type),*) -> $returns> {
            let address = core::ptr::with_exposed_provenance::<()>($name::SLOT.read());
            // SAFETY: the slot is 0, which reads as None, or the address of the
            // kernel's function, which has this signature as its declaration says.
            unsafe {
                core::mem::transmute::<
                    *const (),
                    Option<unsafe extern "C" fn($($type),*) -> $returns>,
                >(address)
            }
        }
    };
}

/// What a backward pointer looks like that is not called.
#[doc(hidden)]
#[macro_export]
macro_rules! __pointer {
    (required, [$($doc:tt)*] [$vis:vis] $name:ident ($type:ty) $make:expr) => {
        $($doc)*
        #[allow(non_snake_case, reason = "the kernel's name")]
        #[inline(always)]
        $vis fn $name() -> $type {
            $make($name::SLOT.read())
        }
    };
    ($need:ident, [$($doc:tt)*] [$vis:vis] $name:ident ($type:ty) $make:expr) => {
        $($doc)*
        #[allow(non_snake_case, reason = "the kernel's name")]
        #[inline(always)]
        $vis fn $name() -> Option<$type> {
            $name::SLOT.pointer_if_any().map($make)
        }
    };
}
