//! C's name for a Rust type, so that a declaration is written once, in Rust,
//! and `ecmo-link dump` and error messages still show the kernel's own words.
//!
//! All of it runs while compiling; nothing of it is in the driver's code.

use core::ffi::c_void;

/// A type that can be handed to the kernel or taken from it.
///
/// Implemented for the integers, raw pointers to such types, function pointers
/// of up to six arguments, and everything that [`layout!`](crate::layout) and
/// [`opaque!`](crate::opaque) declare.
pub trait Type {
    /// How C writes it.
    const NAME: Name;
}

/// How C writes a type.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// `unsigned int`, `struct irq_data`.
    Plain(&'static str),
    /// A pointer; true when to `const`.
    Pointer(&'static Name, bool),
    /// A pointer to a function: what it returns, what it takes.
    Function(&'static Name, &'static [Name]),
}

impl Name {
    /// `struct irq_data *data`: the type around a name, which may be empty.
    pub const fn write_named<const N: usize>(&self, name: &str, writer: &mut Writer<N>) {
        self.write_front(writer);
        if !name.is_empty() {
            // C sets no space behind `*` and `(`.
            if !matches!(writer.last(), b'*' | b'(') {
                writer.byte(b' ');
            }
            writer.text(name);
        }
        self.write_back(writer);
    }

    /// `int setup_irq(unsigned int irq, struct irqaction *action)`: a function
    /// that returns this type.
    pub const fn write_function<const N: usize>(
        &self,
        name: &str,
        arguments: &[(&str, Name)],
        writer: &mut Writer<N>,
    ) {
        self.write_named(name, writer);
        writer.byte(b'(');
        if arguments.is_empty() {
            writer.text("void");
        }
        let mut at = 0;
        while at < arguments.len() {
            if at > 0 {
                writer.text(", ");
            }
            arguments[at].1.write_named(arguments[at].0, writer);
            at += 1;
        }
        writer.byte(b')');
    }

    /// What stands before the name.
    const fn write_front<const N: usize>(&self, writer: &mut Writer<N>) {
        match self {
            Name::Plain(text) => writer.text(text),
            Name::Pointer(to, constant) => {
                if *constant {
                    writer.text("const ");
                }
                to.write_front(writer);
                if !matches!(writer.last(), b'*' | b'(') {
                    writer.byte(b' ');
                }
                writer.byte(b'*');
            }
            Name::Function(returns, _) => {
                returns.write_front(writer);
                if !matches!(writer.last(), b'*' | b'(') {
                    writer.byte(b' ');
                }
                writer.text("(*");
            }
        }
    }

    /// What stands behind the name.
    const fn write_back<const N: usize>(&self, writer: &mut Writer<N>) {
        match self {
            Name::Plain(_) => {}
            Name::Pointer(to, _) => to.write_back(writer),
            Name::Function(returns, takes) => {
                writer.text(")(");
                if takes.is_empty() {
                    writer.text("void");
                }
                let mut at = 0;
                while at < takes.len() {
                    if at > 0 {
                        writer.text(", ");
                    }
                    takes[at].write_named("", writer);
                    at += 1;
                }
                writer.byte(b')');
                returns.write_back(writer);
            }
        }
    }
}

/// A buffer of `N` bytes that counts what did not fit, so that the same code
/// measures (`N` = 0) and writes.
#[derive(Debug, Clone, Copy)]
pub struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
    last: u8,
}

impl<const N: usize> Writer<N> {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "Default cannot be const")]
    pub const fn new() -> Self {
        Writer {
            bytes: [0; N],
            len: 0,
            last: 0,
        }
    }

    /// How many bytes were written, those that did not fit included.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes; zeros behind what was written.
    pub const fn bytes(self) -> [u8; N] {
        self.bytes
    }

    /// The byte written last.
    const fn last(&self) -> u8 {
        self.last
    }

    /// Appends one byte.
    pub const fn byte(&mut self, byte: u8) {
        if self.len < N {
            self.bytes[self.len] = byte;
        }
        self.len += 1;
        self.last = byte;
    }

    /// Appends a string.
    pub const fn text(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            self.byte(text[at]);
            at += 1;
        }
    }
}

macro_rules! plain {
    ($($rust:ty => $c:literal),* $(,)?) => {
        $(impl Type for $rust {
            const NAME: Name = Name::Plain($c);
        })*
    };
}

// `char` is unsigned on ARM Linux. `i8` is here because it is `c_char` on most
// hosts, where the unit tests run.
plain! {
    () => "void",
    c_void => "void",
    u8 => "char",
    i8 => "char",
    u16 => "unsigned short",
    i16 => "short",
    u32 => "unsigned int",
    i32 => "int",
    usize => "unsigned long",
    isize => "long",
    u64 => "u64",
    i64 => "s64",
}

impl<T: Type> Type for *const T {
    const NAME: Name = Name::Pointer(&T::NAME, true);
}

impl<T: Type> Type for *mut T {
    const NAME: Name = Name::Pointer(&T::NAME, false);
}

impl<T: Type> Type for Option<T> {
    const NAME: Name = T::NAME;
}

macro_rules! functions {
    ($($argument:ident)*) => {
        impl<R: Type, $($argument: Type),*> Type for extern "C" fn($($argument),*) -> R {
            const NAME: Name = Name::Function(&R::NAME, &[$($argument::NAME),*]);
        }
        impl<R: Type, $($argument: Type),*> Type for unsafe extern "C" fn($($argument),*) -> R {
            const NAME: Name = Name::Function(&R::NAME, &[$($argument::NAME),*]);
        }
    };
}

functions!();
functions!(A);
functions!(A B);
functions!(A B C);
functions!(A B C D);
functions!(A B C D E);
functions!(A B C D E F);

#[cfg(test)]
mod tests {
    use super::*;

    fn named<T: Type>(name: &str) -> String {
        let mut writer = Writer::<120>::new();
        T::NAME.write_named(name, &mut writer);
        String::from_utf8_lossy(&writer.bytes()[..writer.len()]).into_owned()
    }

    #[test]
    fn pointers_keep_const_and_depth() {
        assert_eq!(named::<u32>("irq"), "unsigned int irq");
        assert_eq!(named::<*const u8>("name"), "const char *name");
        assert_eq!(named::<*mut *mut c_void>("slot"), "void **slot");
        assert_eq!(named::<*mut c_void>(""), "void *");
    }

    #[test]
    fn functions_wrap_their_name() {
        assert_eq!(named::<extern "C" fn() -> u64>("read"), "u64 (*read)(void)");
        assert_eq!(
            named::<Option<unsafe extern "C" fn(i32, *mut c_void) -> i32>>("handler"),
            "int (*handler)(int, void *)"
        );
        assert_eq!(
            named::<extern "C" fn(extern "C" fn(u32)) -> *mut c_void>("f"),
            "void *(*f)(void (*)(unsigned int))"
        );
    }

    #[test]
    fn declarations_read_like_c() {
        let mut writer = Writer::<120>::new();
        i32::NAME.write_function(
            "sched_clock_register",
            &[
                ("read", <extern "C" fn() -> u64>::NAME),
                ("bits", i32::NAME),
                ("rate", usize::NAME),
            ],
            &mut writer,
        );
        assert_eq!(
            std::str::from_utf8(&writer.bytes()[..writer.len()]),
            Ok("int sched_clock_register(u64 (*read)(void), int bits, unsigned long rate)")
        );
        let mut nothing = Writer::<60>::new();
        <*mut c_void>::NAME.write_function("f", &[], &mut nothing);
        assert_eq!(
            std::str::from_utf8(&nothing.bytes()[..nothing.len()]),
            Ok("void *f(void)")
        );
    }
}
