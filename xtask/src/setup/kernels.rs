//! Kernels to boot: three as Debian ships them, and two built from Debian's
//! kernel source with the fragments in `tests/kernels`; and two from a later source
//! that are only looked at.
//!
//! A built kernel comes with a stamp that holds everything its recipe consists
//! of; it is built again when the recipe has changed. Who built it, when and in
//! which folder leaves no trace in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::archive::Archive;
use super::{Missing, Scope, say};
use crate::{process, workspace};

/// A kernel that Debian ships.
struct Shipped {
    /// Folder in the cache.
    name: &'static str,
    /// The meta package that depends on the current one.
    meta: &'static str,
}

const SHIPPED: &[Shipped] = &[
    Shipped {
        name: "debian-marvell",
        meta: "linux-image-marvell",
    },
    Shipped {
        name: "debian-rpi",
        meta: "linux-image-rpi",
    },
    Shipped {
        name: "debian-armmp-lpae",
        meta: "linux-image-armmp-lpae",
    },
];

/// How a kernel is built.
struct Recipe {
    /// Folder in the cache.
    name: &'static str,
    /// File in `tests/kernels` with the options that matter.
    fragment: &'static str,
    source: &'static Source,
    base: Base,
    targets: &'static [&'static str],
    /// What is kept, as paths in the build folder.
    products: &'static [&'static str],
    scope: Scope,
}

/// What the fragment is laid over.
enum Base {
    /// Every option off.
    AllNo,
    /// A configuration that comes with the source.
    Defconfig(&'static str),
}

/// A kernel's source as Debian packs it.
struct Source {
    package: &'static str,
    /// Whether it is among the security updates, and not in the release. Not every
    /// system reads those, so what is built from it may be missing.
    update: bool,
}

const LINUX_6_1: Source = Source {
    package: "linux-source-6.1",
    update: false,
};
const LINUX_6_12: Source = Source {
    package: "linux-source-6.12",
    update: true,
};
/// In the order in which they are unpacked.
const SOURCES: [&Source; 2] = [&LINUX_6_1, &LINUX_6_12];

const RECIPES: &[Recipe] = &[
    Recipe {
        name: "bcm5301x-6.1",
        fragment: "bcm5301x.config",
        source: &LINUX_6_1,
        base: Base::AllNo,
        targets: &["zImage"],
        products: &[
            "arch/arm/boot/zImage",
            "arch/arm/boot/Image",
            "vmlinux",
            "System.map",
            ".config",
        ],
        scope: Scope::Demo,
    },
    Recipe {
        name: "versatile-6.1",
        fragment: "versatile.config",
        source: &LINUX_6_1,
        base: Base::Defconfig("versatile_defconfig"),
        targets: &["zImage", "dtbs"],
        products: &[
            "arch/arm/boot/zImage",
            "arch/arm/boot/Image",
            "arch/arm/boot/dts/versatile-pb.dtb",
            "vmlinux",
            "System.map",
            ".config",
        ],
        scope: Scope::Everything,
    },
    Recipe {
        name: "fast-arm-6.12",
        fragment: "fast-arm.config",
        source: &LINUX_6_12,
        base: Base::AllNo,
        targets: &["Image"],
        products: &["arch/arm/boot/Image", "System.map", ".config"],
        scope: Scope::Everything,
    },
    Recipe {
        name: "small-thumb-6.12",
        fragment: "small-thumb.config",
        source: &LINUX_6_12,
        base: Base::AllNo,
        targets: &["Image"],
        products: &["arch/arm/boot/Image", "System.map", ".config"],
        scope: Scope::Everything,
    },
];

/// Environment of every build: what would otherwise tell one from the next.
const IDENTITY: [(&str, &str); 4] = [
    ("KBUILD_BUILD_TIMESTAMP", "2025-01-01 00:00:00 UTC"),
    ("KBUILD_BUILD_USER", "ecmo"),
    ("KBUILD_BUILD_HOST", "ecmo"),
    ("KBUILD_BUILD_VERSION", "1"),
];

/// Fetches and builds what `scope` asks for and the cache does not have.
pub(super) fn ensure(cache: &Path, archive: &Archive, scope: Scope) -> Result<()> {
    let kernels = cache.join("kernels");
    let mut outdated = Vec::new();
    for recipe in RECIPES.iter().filter(|recipe| recipe.scope <= scope) {
        let stamp = recipe.stamp()?;
        if !recipe.is_built(&kernels, &stamp) {
            outdated.push((recipe, stamp));
        }
    }
    let unfetched: Vec<&Shipped> = SHIPPED
        .iter()
        .filter(|kernel| scope >= Scope::Everything && !kernel.file(&kernels).is_file())
        .collect();
    if outdated.is_empty() && unfetched.is_empty() {
        say("kernels", "all there");
        return Ok(());
    }
    for kernel in unfetched {
        kernel.fetch(archive, cache)?;
    }
    if !outdated.is_empty() {
        for source in SOURCES {
            let package = source.package;
            let of_source = |it: &&(&Recipe, String)| it.0.source.package == package;
            let recipes: Vec<&(&Recipe, String)> = outdated.iter().filter(of_source).collect();
            if recipes.is_empty() {
                continue;
            }
            let work = cache.join("work");
            workspace::remove_folder(&work)?;
            let tree = match source.unpack(cache, archive, &work) {
                Err(error) if source.update => {
                    let names: Vec<&str> = recipes.iter().map(|it| it.0.name).collect();
                    say(
                        "kernels",
                        &format!(
                            "{package} cannot be had here ({error:#}): going on without {}, \
                             and without the test that needs them",
                            names.join(" and ")
                        ),
                    );
                    continue;
                }
                other => other?,
            };
            for (recipe, stamp) in recipes {
                recipe.build(&tree, &work, &kernels, stamp)?;
            }
            workspace::remove_folder(&work)?;
        }
    }
    Ok(())
}

/// Whether all is there that is built from source among the security updates.
pub(super) fn has_updates(cache: &Path) -> bool {
    let kernels = cache.join("kernels");
    let mut recipes = RECIPES.iter().filter(|recipe| recipe.source.update);
    recipes.all(|recipe| recipe.is_complete(&kernels))
}

impl Shipped {
    fn file(&self, kernels: &Path) -> PathBuf {
        kernels.join(self.name).join("vmlinuz")
    }

    fn fetch(&self, archive: &Archive, cache: &Path) -> Result<()> {
        let package = archive.dependency(self.meta, "linux-image-")?;
        let unpacked = cache.join("downloads").join(self.name);
        workspace::remove_folder(&unpacked)?;
        let version = archive.unpack(&package, &unpacked)?;
        let boot = unpacked.join("boot");
        let files = std::fs::read_dir(&boot).with_context(|| format!("{package} has no /boot"))?;
        let image = files
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz-"));
        let image = image.with_context(|| format!("{package} has no kernel image in /boot"))?;
        let bytes = std::fs::read(image.path())?;
        let kernels = cache.join("kernels");
        let note = format!("{package} {version}\n");
        workspace::write_whole(&kernels.join(self.name).join("version"), note.as_bytes())?;
        workspace::write_whole(&self.file(&kernels), &bytes)?;
        workspace::remove_folder(&unpacked)?;
        say("kernels", &format!("{}: {}", self.name, note.trim_end()));
        Ok(())
    }
}

impl Source {
    /// The kernel's source tree, unpacked below `work`.
    ///
    /// A tarball that lies in `downloads` is used as it is; else Debian's source
    /// package is fetched and kept there.
    fn unpack(&self, cache: &Path, archive: &Archive, work: &Path) -> Result<PathBuf> {
        let package = self.package;
        let tarball = cache.join("downloads").join(format!("{package}.tar.xz"));
        if !tarball.is_file() {
            let unpacked = cache.join("downloads").join(package);
            workspace::remove_folder(&unpacked)?;
            let version = match self.update {
                true => archive.unpack_update(package, &unpacked)?,
                false => archive.unpack(package, &unpacked)?,
            };
            let inside = unpacked.join("usr/src").join(format!("{package}.tar.xz"));
            std::fs::rename(&inside, &tarball)
                .with_context(|| format!("package {package} has no {}", inside.display()))?;
            workspace::write_whole(&tarball.with_extension("version"), version.as_bytes())?;
            workspace::remove_folder(&unpacked)?;
        }
        say("kernels", &format!("unpacking {}", tarball.display()));
        std::fs::create_dir_all(work)
            .with_context(|| format!("cannot create {}", work.display()))?;
        process::run(
            Command::new("tar")
                .arg("-C")
                .arg(work)
                .arg("-xf")
                .arg(&tarball),
        )?;
        let folders = std::fs::read_dir(work)?.flatten().map(|entry| entry.path());
        let mut trees = folders.filter(|path| path.join("Kbuild").is_file());
        trees
            .next()
            .with_context(|| format!("{} holds no kernel source tree", tarball.display()))
    }
}

impl Recipe {
    /// All that decides what is built, as text; the source's version is added
    /// for a person and is not compared: a newer one is no reason to build.
    fn stamp(&self) -> Result<String> {
        let base = match self.base {
            Base::AllNo => "allnoconfig",
            Base::Defconfig(name) => name,
        };
        let package = self.source.package;
        let mut text = format!("# {package}, {base}, {}\n", self.targets.join(" "));
        for (name, value) in IDENTITY {
            text.push_str(&format!("# {name}={value}\n"));
        }
        let fragment = std::fs::read_to_string(self.fragment());
        text.push_str(
            &fragment.with_context(|| format!("cannot read {}", self.fragment().display()))?,
        );
        Ok(text)
    }

    fn fragment(&self) -> PathBuf {
        workspace::root()
            .join("tests")
            .join("kernels")
            .join(self.fragment)
    }

    /// Whether every file that matters is there.
    fn is_complete(&self, kernels: &Path) -> bool {
        let folder = kernels.join(self.name);
        self.products.iter().all(|product| {
            product.ends_with(".config") || folder.join(file_name(product)).is_file()
        })
    }

    /// A folder without a stamp was filled by hand and counts as built.
    fn is_built(&self, kernels: &Path, stamp: &str) -> bool {
        let folder = kernels.join(self.name);
        let complete = self.is_complete(kernels);
        let same = match std::fs::read_to_string(folder.join("recipe")) {
            Ok(text) => text == stamp,
            Err(_) => true,
        };
        complete && same
    }

    fn build(&self, source: &Path, work: &Path, kernels: &Path, stamp: &str) -> Result<()> {
        let cross = "arm-linux-gnueabi-";
        if !process::on_path(format!("{cross}gcc")) {
            return Err(Missing(format!(
                "{cross}gcc is needed to build kernel {}",
                self.name
            ))
            .into());
        }
        let started = std::time::Instant::now();
        let build = work.join(self.name);
        let log = work.join(format!("{}.log", self.name));
        std::fs::create_dir_all(&build)?;
        say(
            "kernels",
            &format!(
                "building {} (minutes; output in {})",
                self.name,
                log.display()
            ),
        );
        let make = || {
            let mut command = Command::new("make");
            command
                .arg("-C")
                .arg(source)
                .arg(format!("O={}", build.display()));
            command.args(["ARCH=arm", &format!("CROSS_COMPILE={cross}")]);
            command.envs(IDENTITY).env_remove("MAKEFLAGS");
            command
        };
        match self.base {
            Base::AllNo => {
                let seed = format!("KCONFIG_ALLCONFIG={}", self.fragment().display());
                process::run_logged(make().args([seed.as_str(), "allnoconfig"]), &log)?;
            }
            Base::Defconfig(name) => {
                process::run_logged(make().arg(name), &log)?;
                let mut merge = Command::new(source.join("scripts/kconfig/merge_config.sh"));
                merge.current_dir(source).args(["-m", "-O"]).arg(&build);
                process::run_logged(merge.arg(build.join(".config")).arg(self.fragment()), &log)?;
                process::run_logged(make().arg("olddefconfig"), &log)?;
            }
        }
        self.check_options(&build.join(".config"))?;
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        process::run_logged(make().arg(format!("-j{jobs}")).args(self.targets), &log)?;

        let draft = kernels.join(format!("{}.new", self.name));
        workspace::remove_folder(&draft)?;
        std::fs::create_dir_all(&draft)?;
        for product in self.products {
            let to = draft.join(file_name(product).trim_start_matches('.'));
            std::fs::copy(build.join(product), &to)
                .with_context(|| format!("cannot keep {product}"))?;
        }
        workspace::write_whole(&draft.join("recipe"), stamp.as_bytes())?;
        let place = kernels.join(self.name);
        workspace::remove_folder(&place)?;
        std::fs::rename(&draft, &place)
            .with_context(|| format!("cannot create {}", place.display()))?;
        workspace::remove_folder(&build)?;
        say(
            "kernels",
            &format!("built {} in {} s", self.name, started.elapsed().as_secs()),
        );
        Ok(())
    }

    /// Kconfig drops an option whose dependencies are not met without a word;
    /// a recipe that asks for something it does not get is an error here.
    fn check_options(&self, config: &Path) -> Result<()> {
        let got = std::fs::read_to_string(config).context("cannot read the kernel's .config")?;
        let wanted = std::fs::read_to_string(self.fragment())?;
        let dropped: Vec<&str> = wanted
            .lines()
            .filter(|line| line.starts_with("CONFIG_") && !line.ends_with("=n"))
            .filter(|line| !got.lines().any(|other| other == *line))
            .collect();
        if dropped.is_empty() {
            return Ok(());
        }
        bail!(
            "{} asks for options that the kernel did not take: {}",
            self.fragment,
            dropped.join(" ")
        )
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
