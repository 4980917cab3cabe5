//! A kernel of any bytes, old or new, A32 or Thumb-2: its tables are read, its
//! descriptors found and its functions traced in bounded time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::{
    identify::{Options, StrategySet, identify},
    kernel::{Facts, Kernel, Version},
    symbols::{self, Source, Symbol, SymbolTable},
};

/// Functions that are traced; they lie at the start of the image.
const TRACED: [&str; 5] = [
    "init_IRQ",
    "time_init",
    "customize_machine",
    "setup_arch",
    "set_handle_irq",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&[choice, high], bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let version = match choice & 3 {
        0 => Version(2, 6, 12 + u16::from(choice >> 4)),
        1 => Version(3, u16::from(choice >> 3), 0),
        2 => Version(4, u16::from(choice >> 3), 0),
        _ => Version(6, u16::from(choice >> 3), 0),
    };
    let kernel = Kernel {
        bytes: bytes.to_vec(),
        base: (u32::from(high) << 24) | 0x8000,
        facts: Facts {
            page_offset: u32::from(high) << 24,
            smp: choice & 4 != 0,
            thumb2: choice & 8 != 0,
            ..Facts::usual(version)
        },
    };
    let read = symbols::recover(&kernel);
    let known = TRACED.iter().zip(0u32..).map(|(name, index)| Symbol {
        address: kernel.va(64 * index as usize),
        kind: 'T',
        name: (*name).to_owned(),
        source: Source::File,
    });
    let options = Options {
        extra: Some(SymbolTable::new(known.collect())),
        // The others have a target of their own.
        strategies: StrategySet::NONE,
        ..Options::default()
    };
    let found = identify(&kernel, &read, &options);
    for descriptor in &found.machines.descriptors {
        assert!(kernel.offset(descriptor.va).is_some());
    }
});
