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
    expect![[r#"
        signatures 1
        version 3.18.1
        file kernel/unit.c
        fn helper s--- 1 5 1 0 0
        k |200 !11
        fn first -ix- 2 11 7 1 1
        t "first"
        t "wrapped"
        t "\x013unit: no %s\n"
        t? "\x017unit: maybe\n"
        t? "conditional"
        t "loop"
        t "two lines %d\n"
        w warn 4 4
        w warnf 21 22
        c helper~
        c real 17 "first"
        c real p0 "wrapped"
        c printk "\x013unit: no %s\n"
        c real p0 "loop"
        d optional lock
        k =7
        r -22 -12
        file lib/l.c
        fn wanted ---- 0 3 1 0 0
        t "b"
        c real 2 "b"
        file kernel/unit.c
        var fops -- file_operations
        m open &first
        m name "text"
        m flags 528
        m inner.close &helper
    "#]]
    .assert_eq(&text);
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
    expect![[r#"
        signatures 1
        version 3.18.1
        file kernel/unit.c
        fn f ---? 0 6 1 0 0
        t? "x"
        t "z"
        c real 3 "z"
        d real
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_macro_holds_up_to_where_it_is_undefined() {
    let source = r#"
#include <linux/a.h>
void first(struct x *x)
{
#define CHECK(condition) do {						\
	if (!(condition))						\
		pr_err("failed, %s\n", #condition);			\
} while (0)
	CHECK(x->size  &
	      ~FLAG);
	CHECK(x->mode == 'a' && real(1, "a\n"));
#undef CHECK
}

void second(struct x *x)
{
#define CHECK(condition) real(2, #condition)
	CHECK(x->size);
#undef CHECK
}

void third(struct x *x)
{
	CHECK(x->size);
}
"#;
    let text = facts(&[("include/linux/a.h", HEADER), ("kernel/unit.c", source)]);
    expect![[r#"
        signatures 1
        version 3.18.1
        file kernel/unit.c
        fn first ---- 1 3 6 0 0
        t "\x013failed, %s\n"
        t "x->size & ~FLAG"
        t "a\n"
        t "x->mode == 'a' && real(1, \"a\\n\")"
        c printk "\x013failed, %s\n" "x->size & ~FLAG"
        c real 1 "a\n"
        c printk "\x013failed, %s\n" "x->mode == 'a' && real(1, \"a\\n\")"
        k !200 =61
        fn second ---- 1 15 1 0 0
        t "x->size"
        c real 2 "x->size"
        fn third ---- 1 22 1 0 0
        d CHECK
    "#]]
    .assert_eq(&text);
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
