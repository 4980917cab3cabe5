//! Code of any bytes as a kernel without symbols: functions are found and names
//! looked for with every strategy, in bounded time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::{
    identify::{Options, identify},
    kernel::{Facts, Kernel, Version},
    symbols::SymbolTable,
};

/// One of each era, so that the signatures of few releases are parsed.
const VERSIONS: [Version; 4] = [
    Version(2, 6, 30),
    Version(3, 10, 0),
    Version(4, 4, 0),
    Version(6, 1, 0),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else {
        return;
    };
    let kernel = Kernel {
        bytes: bytes.to_vec(),
        base: 0xc000_8000,
        facts: Facts {
            smp: choice & 4 != 0,
            thumb2: choice & 8 != 0,
            lpae: choice & 16 != 0,
            ..Facts::usual(VERSIONS[usize::from(choice & 3)])
        },
    };
    let found = identify(&kernel, &SymbolTable::default(), &Options::default());
    for pointer in &found.pointers {
        assert!(pointer.address().is_none() || pointer.candidates.len() == 1);
    }
});
