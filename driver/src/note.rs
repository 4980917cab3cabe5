//! Notes: how a driver object tells the linker what it needs and offers.
//!
//! A note is a record in a section whose name starts with `.ecmo.note`. Notes
//! are read by `ecmo-link` and never loaded; what they describe (a slot, a
//! function) lies in a section of its own, so that a slot that no live code
//! uses asks for nothing. The format, in the byte order of the target:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic, `0x314e_4345` (`ECN1`) |
//! | 4 | 2 | kind: 1 backward, 2 forward, 3 layout, 4 constant, 5 chip |
//! | 6 | 2 | flags: bit 0 required, bit 1 data (a backward pointer to a variable) |
//! | 8 | 4 | address of the slot (kinds 1, 3, 4, 5) or function (kind 2), relocated |
//! | 12 | 4 | length of the text in bytes |
//! | 16 | n | text, then zeros up to a multiple of 4 |
//!
//! The text is `names NUL group NUL signature NUL doc NUL`:
//!
//! * `names`: one name, or several by `|` in the order of preference
//!   (`_printk|printk`): the first that the kernel has is taken. For a forward
//!   it is the place (`machine_desc.init_irq`), for a layout `struct.field` or
//!   `struct` (its size), for a constant its name, for a chip
//!   `chip.va`, `chip.phys`, `chip.irq` or `chip.clock_hz`.
//! * `group`: empty, or a word; of all required notes of one group it is enough
//!   that one is satisfied.
//! * `signature`: the C declaration, for a person.
//! * `doc`: source file and versions, for a person.
//!
//! A slot is one 32-bit word in a section named `.ecmo.slot.` plus its name. The linker writes the
//! value into it: the address of a function (bit 0 set when it is Thumb), an
//! offset, a constant. A function that the kernel lacks reads 0; a layout or a
//! constant that is not known reads `0xffff_ffff`.
//!
//! A forward without the required flag is left out, and the linker says so,
//! when something required that it reaches cannot be had.
