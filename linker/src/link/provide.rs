//! What the linker asks of the one who knows the kernel.

/// A value of the kernel, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Address (bit 0 set for a Thumb function), offset, size or constant.
    pub value: u32,
    /// For a person.
    pub evidence: String,
}

/// Where the kernel is made to call one function of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// One for each machine descriptor, for example; none when this kernel has no
    /// use for what would be called.
    pub spots: Vec<Spot>,
    /// For a person.
    pub evidence: String,
}

impl Place {
    /// Words of the kernel's data.
    pub fn words(words: impl IntoIterator<Item = u32>, evidence: String) -> Self {
        let spot = |va| Spot {
            va,
            code: Vec::new(),
        };
        Self {
            spots: words.into_iter().map(spot).collect(),
            evidence,
        }
    }
}

/// A word of the kernel that is to hold a function pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Its virtual address.
    pub va: u32,
    /// Instructions to write in front of it, where what stood there was code;
    /// they call the function.
    pub code: Vec<u32>,
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
