//! The kernel's command line.

/// Console on this UART, `/init`, and what keeps a kernel for several processors on one.
///
/// `archive`: an initial RAM disk goes with the kernel. `append` comes last, so
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

#[cfg(test)]
mod tests {
    use super::build;

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
