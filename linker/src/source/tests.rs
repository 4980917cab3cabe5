//! Tests of the whole way from a tree to its facts.

use std::path::Path;

use expect_test::expect;

use super::*;

/// A tree of a few files; gives the facts as text.
fn facts(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "Makefile",
        "VERSION = 3\nPATCHLEVEL = 18\nSUBLEVEL = 1\nEXTRAVERSION = -x\n",
    );
    for (path, text) in files {
        write(path, text);
    }
    let asked = Asked::read(
        "files = [\"kernel/*.c\"]\nnames = [\"wanted\"]\nfolders = [\"lib\"]\nwithout = []",
    );
    extract(folder.path(), &asked.unwrap()).unwrap().to_string()
}

const HEADER: &str = r#"
#ifndef _LINUX_A_H
#define _LINUX_A_H
#define KERN_SOH "\001"
#define KERN_ERR KERN_SOH "3"
#define KERN_DEBUG KERN_SOH "7"
int printk(const char *fmt, ...);
#define pr_error(fmt, ...) printk(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err pr_error
enum { NONE, FIRST = 0x10, SECOND };
#define FLAG (1 << 9)
extern int real(int, const char *);
extern struct lock big_lock;
static inline int wrapped(int a, int b)
{
	if (b)
		return real(a, "wrapped");
	return -22;
}
#ifdef CONFIG_SOME
extern void optional(int);
#else
static inline void optional(int a) { }
#endif
#ifdef CONFIG_X86
extern void other_machine(void);
#define machine() other_machine()
#else
#define machine() real(SECOND, __func__)
#endif
#endif
"#;

#[test]
fn facts_of_a_small_tree() {
    let source = r#"
#define pr_fmt(fmt) "unit: " fmt
#include <linux/a.h>

static void helper(struct x *x)
{
	x->state |= FLAG;
	x->other &= ~SECOND;
}

int __init first(int irq, struct x *x)
{
	int ret = -12;

	if (WARN_ON(!x))
		return -22;
	helper(x);
	machine();
	wrapped(irq, 1);
	wrapped(irq, 0);
	optional(irq);
	pr_err("no %s\n", x->name);
	pr_debug("maybe\n");
	if (IS_ENABLED(CONFIG_SOME))
		real(1, "conditional");
#if 0
	absent();
#endif
	x->ops->start(x);
	for (; x; x = x->next)
		real(irq, "loop") ;
	WARN(x->a == 7,
	     "two lines %d\n", irq);
	lock(&big_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(first);

struct file_operations fops = {
	.open = first,
	.name = "text",
	.flags = FLAG | FIRST,
	.inner = { .close = helper, },
};
"#;
    let library = "#include <linux/a.h>\nvoid unwanted(void) { real(1, \"a\"); }\nvoid wanted(void)\n{\n\treal(2, \"b\");\n}\n";
    let text = facts(&[
        ("include/linux/a.h", HEADER),
        ("kernel/unit.c", source),
        ("lib/l.c", library),
    ]);
    expect![[r#""#]].assert_eq(&text);
}

#[test]
fn what_depends_on_the_configuration_is_doubted() {
    let source = r#"
#include <linux/a.h>
#ifdef CONFIG_SOME
void f(int a)
#else
int f(void)
#endif
{
#ifdef CONFIG_SOME
	if (a) {
		real(1, "x");
#else
	if (1) {
		real(2, "y");
#endif
	}
	real(3, "z");
}
"#;
    let text = facts(&[("include/linux/a.h", HEADER), ("kernel/unit.c", source)]);
    expect![[r#""#]].assert_eq(&text);
}

#[test]
fn what_is_no_tree_is_refused() {
    let asked = Asked::shipped().unwrap();
    let error = extract(Path::new("/nonexistent"), &asked).unwrap_err();
    assert!(error.to_string().contains("no VERSION"), "{error}");
}

#[test]
fn broken_source_gives_what_it_gives() {
    let broken = [
        "int f(int a { return (((; }",
        "#define f( \n#if\n#else\n#else\n#endif\n#endif\nint f(void) { g(",
        "int f(void) { \"unterminated\n '\\\n }",
        "#define A A B\n#define B A(A)\n#define C(x) C(x) C(C(x))\nint f(void) { A; C(C(A)); }",
        "#define X(a, ...) #a ## __VA_ARGS__ ##\nint f(void) { X(1, 2, 3); X(; }",
        "struct s v = { .a = { .b = ",
        "enum { A = 1 / 0, B = 1 << 99, C = (((",
    ];
    for text in broken {
        facts(&[("kernel/unit.c", text)]);
    }
    let deep = format!(
        "int f(void) {{ return {}1{}; }}",
        "(".repeat(5000),
        ")".repeat(5000)
    );
    facts(&[("kernel/unit.c", &deep)]);
}

#[test]
fn only_whole_names_begin_definitions() {
    assert_eq!(begins_definition("int wanted(int a)"), Some("wanted"));
    assert_eq!(begins_definition("void *wanted(int a)"), Some("wanted"));
    assert_eq!(begins_definition("wanted(int a)"), Some("wanted"));
    assert_eq!(begins_definition("int wanted(int a);"), None);
    assert_eq!(begins_definition("\twanted(a)"), None);
}
