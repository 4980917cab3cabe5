//! Self-extracting kernels whose streams nobody can decode: their own code, run
//! in the emulator, has to unpack the same kernel as the decoders.

use std::path::Path;
use std::time::{Duration, Instant};

use linker::image::{self, LayerKind, Options};
use rehost::pipeline::extractor::extract;
use tests::{command, fixtures, parallel};

/// Opens an image with the decoders for self-extracting kernels switched off.
fn by_its_own_code(image: &[u8]) -> Result<image::Firmware, image::Error> {
    image::open_with(
        image,
        Options {
            decoders: false,
            extractor: Some(extract),
            ..Options::default()
        },
    )
}

/// What is different in what the two ways give; false when there is nothing to
/// compare, because the kernel does not extract itself.
fn compare(image: &[u8]) -> Result<bool, String> {
    let decoded = image::open(image).map_err(|error| error.to_string())?;
    if !decoded
        .layers
        .iter()
        .any(|layer| layer.what == LayerKind::ZImage)
    {
        return Ok(false);
    }
    let ran = by_its_own_code(image).map_err(|error| error.to_string())?;
    let (ours, theirs) = (decoded.kernel, ran.kernel);
    if !ran
        .layers
        .iter()
        .any(|layer| layer.what == LayerKind::Extracted)
    {
        return Err("opened without its own code".to_owned());
    }
    let (start, rest) = theirs
        .bytes
        .split_at(ours.bytes.len().min(theirs.bytes.len()));
    if start.iter().zip(&ours.bytes).any(|(a, b)| a != b) {
        return Err("not the same kernel".to_owned());
    }
    let missing = &ours.bytes[start.len()..];
    if rest.iter().chain(missing).any(|&byte| byte != 0) {
        return Err("not the same end".to_owned());
    }
    Ok(true)
}

/// Compares for each image, and gives how many there was something to compare for.
fn check(images: &[(String, std::path::PathBuf)]) -> usize {
    let results = parallel::map(images, |(name, path)| {
        let image = std::fs::read(path).expect("an image that is there can be read");
        let began = Instant::now();
        let result = compare(&image);
        println!("{name:32} {result:?} {:.1?}", began.elapsed());
        result.map_err(|why| format!("{name}: {why}"))
    });
    let wrong: Vec<&String> = results.iter().filter_map(|it| it.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    results.iter().filter(|it| **it == Ok(true)).count()
}

/// Bytes of [`turned_around`] before the kernel.
const HEAD: u32 = 0x68;
/// Where its loop begins.
const AGAIN: usize = 0x4c;

/// A self-extracting kernel of a kind that nobody has a decoder for: every bit of
/// it is turned around, and code in front of it turns them back.
fn turned_around(kernel: &[u8]) -> Vec<u8> {
    let mut kernel = kernel.to_vec();
    kernel.resize(kernel.len().next_multiple_of(4), 0);
    let length = kernel.len() as u32;
    let mut head = vec![0xe1a0_0000; 8]; // nop
    head.extend([
        0xea00_0002, // b start
        0x016f_2818,
        0,
        HEAD + length,
        // start:
        0xe1a0_400f, // mov r4, pc
        0xe204_433e, // and r4, r4, #0xf8000000
        0xe284_4902, // add r4, r4, #0x8000
        0xe28f_5024, // add r5, pc, #0x24: the kernel
        0xe51f_601c, // ldr r6, [pc, #-0x1c]: the end
        0xe246_6068, // sub r6, r6, #0x68: how much of it
        0xe1a0_7004, // mov r7, r4
        // again:
        0xe495_3004, // ldr r3, [r5], #4
        0xe1e0_3003, // mvn r3, r3
        0xe487_3004, // str r3, [r7], #4
        0xe256_6004, // subs r6, r6, #4
        0x8aff_fffa, // bhi again
        0xe1a0_1007, // mov r1, r7
        0xe1a0_f004, // mov pc, r4
    ]);
    let head = head.iter().flat_map(|word: &u32| word.to_le_bytes());
    head.chain(kernel.iter().map(|byte| !byte)).collect()
}

#[test]
fn a_kernel_that_only_its_own_code_can_unpack_comes_to_a_shell() {
    let ecmo = |arguments: &[&str], file: &Path| {
        let mut command = command::ecmo();
        command.arg(arguments[0]).arg(file).args(&arguments[1..]);
        command::run(&mut command, Duration::from_secs(120))
    };
    let kernel = std::fs::read(fixtures::kernel("bcm5301x-6.1", "Image")).expect("a kernel");
    let image = turned_around(&kernel);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &image).expect("it can be written");
    let inspected = ecmo(&["inspect"], file.path());
    let text = String::from_utf8_lossy(&inspected.stdout);
    assert!(
        text.contains("own decompressor"),
        "{text}{}",
        inspected.stderr
    );
    let ran = ecmo(
        &["run", "--initrd", "builtin", "--until", "shell"],
        file.path(),
    );
    assert_eq!(ran.code(), 0, "{}", ran.stderr);
    // Broken, it says so instead of running for ever.
    let mut broken = image;
    broken[AGAIN..AGAIN + 4].copy_from_slice(&0xeaff_fffe_u32.to_le_bytes());
    std::fs::write(file.path(), &broken).expect("it can be written");
    let inspected = ecmo(&["inspect"], file.path());
    assert_eq!(inspected.code(), 3);
    let gives_up = format!("gives up, at {AGAIN:#x} of it");
    assert!(inspected.stderr.contains(&gives_up), "{}", inspected.stderr);
}

#[test]
fn kernels_of_debian_and_of_mainline() {
    let images = [
        ("bcm5301x-6.1", "zImage"),
        ("versatile-6.1", "zImage"),
        ("debian-marvell", "vmlinuz"),
        ("debian-rpi", "vmlinuz"),
        ("debian-armmp-lpae", "vmlinuz"),
    ]
    .map(|(name, file)| (name.to_owned(), fixtures::kernel(name, file)));
    assert_eq!(check(&images), images.len());
}

#[test]
fn kernels_of_the_corpus() {
    let Some(corpus) = fixtures::corpus() else {
        return;
    };
    let images: Vec<_> = std::fs::read_dir(&corpus)
        .expect("the corpus can be listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("image").is_file())
        .map(|folder| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            (name.into_owned(), folder.join("image"))
        })
        .collect();
    assert!(check(&images) > 0, "no image of the corpus extracts itself");
}
