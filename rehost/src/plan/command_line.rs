//! The kernel's command line.

/// Console on this UART, `/init`, and what keeps a kernel for several processors on one.
///
/// `archive`: an archive with a user space goes with the kernel. `append` comes last, so
/// that it wins over what stands before it.
pub fn build(uart: &str, smp: bool, archive: bool, append: Option<&str>) -> String {
    let console = format!("console={uart},115200");
    let mut words = vec![console.as_str()];
    if archive {
        words.push("rdinit=/init");
    }
    if smp {
        words.push("nosmp");
    }
    words.extend(append.map(str::trim).filter(|text| !text.is_empty()));
    words.join(" ")
}

/// `COMMAND_LINE_SIZE` of the kernel (arch/arm/include/uapi/asm/setup.h), its NUL
/// included.
const SIZE: usize = 1024;
/// How a line that was built into a kernel begins, or goes on behind a space.
const WORDS: [&str; 6] = [
    "console=",
    "root=",
    "mem=",
    "init=",
    "androidboot.",
    "noinitrd",
];

/// Writes the command line in the place of the one that was built into the kernel
/// (CONFIG_CMDLINE), which may be used in spite of the boot loader's. It lies in
/// `default_command_line` of arch/arm/kernel/setup.c: an array, the rest of which
/// is zero. Returns those that were replaced.
pub fn replace_built_in(kernel: &mut [u8], line: &str) -> Vec<String> {
    if line.len() >= SIZE {
        return Vec::new();
    }
    let mut starts: Vec<usize> = WORDS
        .iter()
        .flat_map(|word| memchr::memmem::find_iter(kernel, word.as_bytes()))
        .filter_map(|at| start_of_line(kernel, at))
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let mut replaced = Vec::new();
    for &start in &starts {
        if let Some(place) = kernel.get_mut(start..start + SIZE) {
            let text = place.split(|&byte| byte == 0).next().unwrap_or_default();
            replaced.push(String::from_utf8_lossy(text).into_owned());
            place.fill(0);
            place[..line.len()].copy_from_slice(line.as_bytes());
        }
    }
    replaced
}

/// Where the text around a place begins, if it fills an array of [`SIZE`] bytes
/// with zeros behind it and lies as the linker lays arrays.
fn start_of_line(bytes: &[u8], at: usize) -> Option<usize> {
    let printable = |byte: &u8| (b' '..=b'~').contains(byte);
    let before = bytes.get(at.saturating_sub(SIZE)..at)?;
    let length = before
        .iter()
        .rev()
        .take_while(|byte| printable(byte))
        .count();
    let start = at - length;
    let array = bytes.get(start..start.checked_add(SIZE)?)?;
    let text = array.iter().take_while(|byte| printable(byte)).count();
    let zeros = array.get(text..)?.iter().all(|&byte| byte == 0);
    (start.is_multiple_of(4) && zeros && text < SIZE / 2).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_in_line_is_replaced_and_texts_are_not() {
        let mut kernel = b"root=%s is a text\0\0\0".to_vec();
        kernel.extend(b"mem=512M console=ttyO2,115200n8");
        kernel.resize(20 + SIZE, 0);
        kernel.extend(b"next");
        assert_eq!(
            replace_built_in(&mut kernel, "console=ttyS0"),
            ["mem=512M console=ttyO2,115200n8"]
        );
        assert!(kernel.starts_with(b"root=%s is a text\0\0\0console=ttyS0\0\0"));
        assert!(kernel.ends_with(b"\0next"));
        assert!(replace_built_in(&mut vec![b' '; 5000], "x").is_empty());
    }

    #[test]
    fn what_the_user_adds_comes_last() {
        assert_eq!(
            build("ttyS0", true, true, Some(" rdinit=/bin/sh ")),
            "console=ttyS0,115200 rdinit=/init nosmp rdinit=/bin/sh"
        );
        assert_eq!(
            build("ttyAMA0", false, false, None),
            "console=ttyAMA0,115200"
        );
    }
}
