//! What the declaring macros have in common. Nothing here is for a driver
//! author to call.

/// A module of the item's name with its slot in it.
#[doc(hidden)]
#[macro_export]
macro_rules! __slot {
    ($empty:ident, $vis:vis $name:ident, $($section:expr),+) => {
        #[doc(hidden)]
        #[allow(non_snake_case, reason = "constants keep the kernel's name")]
        $vis mod $name {
            #[cfg_attr(
                target_os = "none",
                unsafe(link_section = concat!(".ecmo.slot.", $($section),+))
            )]
            pub(crate) static SLOT: $crate::kit::Slot = $crate::kit::Slot::$empty();
        }
    };
}

/// The note for one slot or forward.
#[doc(hidden)]
#[macro_export]
macro_rules! __note {
    (
        $kind:ident, $flags:expr, $address:expr, $names:expr, $group:expr,
        $declaration:expr, $doc:expr
    ) => {
        const _: () = {
            const TEXT: $crate::note::Text = $crate::note::Text {
                names: $names,
                group: $group,
                declaration: $declaration,
                doc: $doc,
            };
            #[used]
            #[cfg_attr(target_os = "none", unsafe(link_section = ".ecmo.note"))]
            static NOTE: $crate::note::Note<{ TEXT.padded_len() }> =
                $crate::note::Note::new($crate::note::Kind::$kind, $flags, $address, &TEXT);
        };
    };
}

/// The flag that belongs to `required`, `optional` or `group`.
#[doc(hidden)]
#[macro_export]
macro_rules! __need {
    (required) => {
        $crate::note::REQUIRED
    };
    (group) => {
        $crate::note::REQUIRED
    };
    (optional) => {
        0
    };
}

/// The names given, else the item's own.
#[doc(hidden)]
#[macro_export]
macro_rules! __names {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident, $names:literal) => {
        $names
    };
}

/// The type returned, `()` when none is given.
#[doc(hidden)]
#[macro_export]
macro_rules! __returns {
    () => {
        ()
    };
    ($type:ty) => {
        $type
    };
}
