//! What the linker asks of the one who knows the kernel.

/// A value of the kernel, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Address (bit 0 set for a Thumb function), offset, size or constant.
    pub value: u32,
    /// For a person.
    pub evidence: String,
}

/// The words of the kernel that hold one function pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Their virtual addresses: one for each machine descriptor, for example.
    pub words: Vec<u32>,
    /// For a person.
    pub evidence: String,
}

/// What a driver may ask for. Every answer that is no says why, in words.
pub trait Provide {
    /// The address of a function of the kernel, bit 0 set when it is Thumb code.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn function(&self, name: &str) -> Result<Resolved, String>;

    /// The address of a variable of the kernel.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn data(&self, name: &str) -> Result<Resolved, String>;

    /// The offset of `struct.field`, or the size of `struct`, in bytes.
    ///
    /// # Errors
    ///
    /// Why it is not known.
    fn layout(&self, name: &str) -> Result<Resolved, String>;

    /// A constant of the kernel's source by its C name.
    ///
    /// # Errors
    ///
    /// Why it is not known.
    fn constant(&self, name: &str) -> Result<Resolved, String>;

    /// Where the kernel keeps the pointers of a forward, for example
    /// `machine_desc.init_irq`.
    ///
    /// # Errors
    ///
    /// Why it has no such place.
    fn place(&self, name: &str) -> Result<Place, String>;
}
