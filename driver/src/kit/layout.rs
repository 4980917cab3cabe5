//! Layouts: kernel structs whose offsets are known only when linking.

use core::cell::UnsafeCell;
use core::marker::PhantomData;

/// A kernel struct that [`layout!`](crate::layout) has declared.
pub trait Struct {
    /// Its size in bytes, where the linker knows it.
    fn size() -> Option<usize>;
}

/// One field of the kernel struct `S`, at an offset known at run time.
#[derive(Debug)]
pub struct Field<S, T> {
    offset: usize,
    of: PhantomData<fn(S) -> T>,
}

impl<S, T> Clone for Field<S, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, T> Copy for Field<S, T> {}

impl<S, T> Field<S, T> {
    /// The field at an offset in bytes from the start of the struct.
    #[inline(always)]
    pub const fn at(offset: usize) -> Self {
        Field {
            offset,
            of: PhantomData,
        }
    }

    /// Its offset in bytes.
    #[inline(always)]
    pub const fn offset(self) -> usize {
        self.offset
    }

    /// The field's place in one struct.
    #[inline(always)]
    pub const fn of(self, structure: *mut S) -> *mut T {
        structure.wrapping_byte_add(self.offset).cast()
    }

    /// Reads the field.
    ///
    /// # Safety
    ///
    /// `structure` must point to a kernel struct of this kind that may be read.
    #[inline(always)]
    pub unsafe fn get(self, structure: *const S) -> T {
        // SAFETY: the caller vouches for the struct, the linker for the offset,
        // and C aligned the field.
        unsafe { self.of(structure.cast_mut()).read() }
    }

    /// Writes the field.
    ///
    /// # Safety
    ///
    /// `structure` must point to a kernel struct of this kind that may be
    /// written.
    #[inline(always)]
    pub unsafe fn set(self, structure: *mut S, value: T) {
        // SAFETY: as for `get`.
        unsafe { self.of(structure).write(value) }
    }
}

/// Zeroed room in the driver for `COUNT` structs `S` of the kernel, which need
/// not be larger than `BYTES` together.
///
/// Choose `BYTES` generously: the struct of the largest configuration of any
/// kernel must fit. Where the linker knows the size, that is checked.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct Storage<S, const BYTES: usize, const COUNT: usize = 1> {
    bytes: UnsafeCell<[u8; BYTES]>,
    of: PhantomData<S>,
}

// SAFETY: the driver hands out a raw pointer only; whoever follows it answers
// for what he does, and so does the kernel.
unsafe impl<S, const BYTES: usize, const COUNT: usize> Sync for Storage<S, BYTES, COUNT> {}

impl<S: Struct, const BYTES: usize, const COUNT: usize> Storage<S, BYTES, COUNT> {
    /// Room full of zeros.
    pub const fn zeroed() -> Self {
        Storage {
            bytes: UnsafeCell::new([0; BYTES]),
            of: PhantomData,
        }
    }

    /// The first struct.
    ///
    /// # Panics
    ///
    /// When the size is known and too large: the guest then stops at an
    /// undefined instruction, which is better than one struct overwriting the
    /// next.
    #[inline]
    pub fn get(&'static self) -> *mut S {
        if let Some(size) = S::size()
            && size > BYTES / COUNT
        {
            too_large();
        }
        self.bytes.get().cast()
    }
}

/// Kept out of line so that every use costs a compare and a branch.
#[cold]
#[inline(never)]
fn too_large() -> ! {
    panic!("a kernel struct is larger than the room for it");
}

/// Declares the fields that the driver touches of structs whose layout differs
/// between kernels.
///
/// `struct irq_data as IrqData { ... }` makes an opaque Rust type `IrqData` and
/// for each field a function of its name: a `required` one returns a
/// [`Field`](crate::kit::Field), an `optional` or `group("word")` one
/// `Option<Field>`, `None` when this kernel has no such field or nobody knows
/// where it is. `IrqData::size()` is the size, where that is known. A field whose
/// name changed is given all of its names:
/// `required irq_ack: Callback as "irq_chip.irq_ack|irq_chip.ack"`.
///
/// ```
/// use driver::kit::Struct;
///
/// driver::layout! {
///     /// include/linux/irq.h: what a chip's callbacks are handed since 2.6.37.
///     pub struct irq_data as IrqData {
///         /// The Linux interrupt number.
///         required irq: u32,
///         /// The number within its domain, 3.2 and later.
///         optional hwirq: usize,
///     }
/// }
///
/// extern "C" fn mask(data: *mut IrqData) {
///     // SAFETY: the kernel hands its callbacks a valid irq_data.
///     let irq = unsafe { IrqData::irq().get(data) };
///     # let _ = irq;
/// }
/// # assert!(IrqData::hwirq().is_none() && IrqData::size().is_none());
/// # let _ = mask;
/// ```
#[macro_export]
macro_rules! layout {
    ($(
        $(#[doc = $doc:literal])*
        $vis:vis struct $c:ident as $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $need:ident $(($group:literal))? $field:ident: $type:ty $(as $names:literal)?
            ),* $(,)?
        }
    )*) => {$(
        $crate::opaque! {
            $(#[doc = $doc])*
            $vis struct $c as $name;
        }

        #[doc(hidden)]
        $vis mod $c {
            $crate::__slot!(value, pub(crate) size, stringify!($c));
            $($crate::__slot!(value, pub(crate) $field, stringify!($c), ".", stringify!($field));)*
        }

        $crate::__note!(
            Layout, 0, &raw const $c::size::SLOT as *const (),
            stringify!($c), "",
            $crate::note::Declaration::Text(concat!("sizeof(struct ", stringify!($c), ")")),
            concat!($($doc),*)
        );

        impl $crate::kit::Struct for $name {
            #[inline(always)]
            fn size() -> Option<usize> {
                $c::size::SLOT.value_if_known()
            }
        }

        $(
            $crate::__note!(
                Layout, $crate::__need!($need), &raw const $c::$field::SLOT as *const (),
                $crate::__field_names!($c, $field $(, $names)?), concat!($($group)?),
                $crate::note::Declaration::Variable(
                    <$type as $crate::kit::c::Type>::NAME, stringify!($field),
                ),
                concat!($($field_doc),*)
            );
            $crate::__field!($need, [$(#[doc = $field_doc])*] [$vis] $name, $c, $field, $type);
        )*
    )*};
}

/// Declares kernel structs that the driver only passes on, and never looks into.
///
/// ```
/// driver::opaque! {
///     /// arch/arm/include/asm/ptrace.h: the registers of whom was interrupted.
///     pub struct pt_regs as PtRegs;
/// }
/// # fn take(_: *mut PtRegs) {}
/// # let _ = take;
/// ```
#[macro_export]
macro_rules! opaque {
    ($(
        $(#[doc = $doc:literal])*
        $vis:vis struct $c:ident as $name:ident;
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug)]
        #[repr(C)]
        $vis struct $name {
            opaque: [u8; 0],
        }

        impl $crate::kit::c::Type for $name {
            const NAME: $crate::kit::c::Name =
                $crate::kit::c::Name::Plain(concat!("struct ", stringify!($c)));
        }
    )*};
}

/// The names given, else the field's own.
#[doc(hidden)]
#[macro_export]
macro_rules! __field_names {
    ($c:ident, $field:ident) => {
        concat!(stringify!($c), ".", stringify!($field))
    };
    ($c:ident, $field:ident, $names:literal) => {
        $names
    };
}

/// The accessor of one field.
#[doc(hidden)]
#[macro_export]
macro_rules! __field {
    (required, [$($doc:tt)*] [$vis:vis] $name:ident, $c:ident, $field:ident, $type:ty) => {
        impl $name {
            $($doc)*
            #[inline(always)]
            $vis fn $field() -> $crate::kit::Field<$name, $type> {
                $crate::kit::Field::at($c::$field::SLOT.read())
            }
        }
    };
    ($need:ident, [$($doc:tt)*] [$vis:vis] $name:ident, $c:ident, $field:ident, $type:ty) => {
        impl $name {
            $($doc)*
            #[inline(always)]
            $vis fn $field() -> Option<$crate::kit::Field<$name, $type>> {
                $c::$field::SLOT.value_if_known().map($crate::kit::Field::at)
            }
        }
    };
}
