//! What happens on a fault of the program itself: the terminal is put right, the
//! message says so, the exit code is 4.

use crate::console::terminal;

/// Exit code of a fault of the program itself.
const EXIT_CODE: i32 = 4;

/// Installs the handler of panics.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        terminal::restore();
        eprintln!("ecmo: a fault of the program itself: {panic}");
        std::process::exit(EXIT_CODE);
    }));
}
