//! Finds the places of Rust files that `cargo xtask mutants rust` changes: expressions and statements that a switch
//! makes others at run time. Prints them, for the files that it is given, as JSON.

use std::{collections::BTreeMap, fs, ops::Range, process::ExitCode};

use proc_macro2::Span;
use serde_json::{Value, json};
use syn::{
    BinOp, Block, Expr, Lit, Pat, ReturnType, Signature, Stmt, Type, UnOp,
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// Stands for the question whether the switch of a mutant is on.
const ON: &str = "@ON@";

/// One change of a source file that is compiled in, and made when its switch is on.
#[derive(Debug)]
struct Mutant {
    /// The function around it, behind its type.
    function: String,
    /// The line, what stands there and what it becomes, on one line.
    change: String,
    /// Bytes of the source that the switch surrounds.
    place: Range<usize>,
    before: String,
    after: String,
    /// Bytes of the `const` of a function around it, which the copy has to do without.
    constant: Option<Range<usize>>,
}

fn main() -> ExitCode {
    match std::env::args().skip(1).map(|file| of_file(&file)).collect::<Result<Vec<_>, _>>() {
        Ok(files) => {
            println!("{}", Value::from(files.concat()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the mutants of a file.
fn of_file(file: &str) -> Result<Vec<Value>, String> {
    let source = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mutants = mutants(&source).map_err(|error| format!("{file}: {error}"))?;
    let value = |mutant: Mutant| {
        json!({
            "file": file,
            "function": mutant.function,
            "change": mutant.change,
            "place": mutant.place,
            "before": mutant.before,
            "after": mutant.after,
            "constant": mutant.constant,
        })
    };
    Ok(mutants.into_iter().map(value).collect())
}

/// Binary operators and their replacements.
const OPERATORS: [(&str, &str); 26] = [
    ("<", "<="),
    ("<=", "<"),
    (">", ">="),
    (">=", ">"),
    ("==", "!="),
    ("!=", "=="),
    ("&&", "||"),
    ("||", "&&"),
    ("+", "-"),
    ("-", "+"),
    ("*", "/"),
    ("/", "*"),
    ("%", "*"),
    ("&", "|"),
    ("|", "&"),
    ("^", "|"),
    ("<<", ">>"),
    (">>", "<<"),
    ("+=", "-="),
    ("-=", "+="),
    ("*=", "/="),
    ("/=", "*="),
    ("|=", "&="),
    ("&=", "|="),
    ("<<=", ">>="),
    (">>=", "<<="),
];

/// Methods and their replacements.
const METHODS: [(&str, &str); 14] = [
    ("saturating_add", "saturating_sub"),
    ("saturating_sub", "saturating_add"),
    ("checked_add", "checked_sub"),
    ("checked_sub", "checked_add"),
    ("saturating_mul", "saturating_add"),
    ("checked_mul", "checked_add"),
    ("min", "max"),
    ("max", "min"),
    ("is_some", "is_none"),
    ("is_none", "is_some"),
    ("any", "all"),
    ("all", "any"),
    ("first", "last"),
    ("last", "first"),
];

/// Methods whose answer is turned around.
const PREDICATES: [&str; 6] =
    ["is_empty", "contains", "contains_key", "starts_with", "is_some_and", "is_none_or"];

/// Returns the mutants of a source.
fn mutants(source: &str) -> syn::Result<Vec<Mutant>> {
    let tree = syn::parse_file(source)?;
    let mut walk = Walk {
        source,
        types: Vec::new(),
        functions: Vec::new(),
        constant: None,
        found: Vec::new(),
        names: BTreeMap::new(),
    };
    walk.visit_file(&tree);
    Ok(walk.found)
}

struct Walk<'a> {
    source: &'a str,
    types: Vec<String>,
    functions: Vec<String>,
    constant: Option<Range<usize>>,
    found: Vec<Mutant>,
    /// Number of mutants of each name, for those that have the same.
    names: BTreeMap<String, usize>,
}

impl Walk<'_> {
    fn text(&self, span: Span) -> &str {
        &self.source[span.byte_range()]
    }

    fn function(&self) -> String {
        let names: Vec<_> = self.types.last().into_iter().chain(&self.functions).cloned().collect();
        names.join("::")
    }

    /// Notes a mutant: `old` becomes `new`, if the switch is on.
    fn push(
        &mut self,
        place: Range<usize>,
        (old, new): (&str, &str),
        around: impl FnOnce(&str) -> (String, String),
    ) {
        if self.functions.is_empty() {
            return;
        }
        let on_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let start = self.source[..place.start].rfind('\n').map_or(0, |end| end + 1);
        let line = self.source[start..].lines().next().unwrap_or_default().trim();
        let (old, new) = (on_one_line(old), on_one_line(new));
        let (function, mut change) = (self.function(), format!("{line} | `{old}` -> `{new}`"));
        let count = self.names.entry(format!("{function} {change}")).or_default();
        *count += 1;
        if *count > 1 {
            change = format!("{change} ({count})");
        }
        let (before, after) = around(ON);
        let constant = self.constant.clone();
        self.found.push(Mutant { function, change, place, before, after, constant });
    }

    /// Replaces an expression.
    fn expression(&mut self, whole: Span, change: (&str, &str), replacement: &str) {
        self.push(whole.byte_range(), change, |on| {
            (format!("(if {on} {{ {replacement} }} else {{ "), " })".to_owned())
        });
    }

    /// Makes a condition false and, where it binds nothing, true.
    fn condition(&mut self, condition: &Expr) {
        let place = condition.span().byte_range();
        let old = self.source[place.clone()].to_owned();
        if has_let(condition) {
            self.push(place, (&old, "false"), |on| (format!("!{on} && "), String::new()));
            return;
        }
        self.push(place.clone(), (&old, "false"), |on| (format!("(!{on} && ("), "))".to_owned()));
        self.push(place, (&old, "true"), |on| (format!("({on} || ("), "))".to_owned()));
    }

    fn binary(&mut self, node: &syn::ExprBinary) {
        let (whole, operator) = (node.span(), node.op.span().byte_range());
        let old = self.source[operator.clone()].to_owned();
        let Some((_, new)) = OPERATORS.iter().find(|(from, _)| *from == old) else { return };
        if matches!(node.op, BinOp::And(_) | BinOp::Or(_))
            && (has_let(&node.left) || has_let(&node.right))
        {
            return;
        }
        let all = whole.byte_range();
        let replacement =
            [&self.source[all.start..operator.start], *new, &self.source[operator.end..all.end]]
                .concat();
        self.expression(whole, (&old, new), &replacement);
    }

    fn method(&mut self, node: &syn::ExprMethodCall) {
        let (whole, name) = (node.span(), node.method.to_string());
        if PREDICATES.contains(&&*name) {
            let new = format!("!{}", self.text(whole));
            self.expression(whole, (&name, &format!("!{name}")), &new);
        }
        if let Some((_, new)) = METHODS.iter().find(|(from, _)| *from == name) {
            let (all, own) = (whole.byte_range(), node.method.span().byte_range());
            let replacement =
                [&self.source[all.start..own.start], *new, &self.source[own.end..all.end]].concat();
            self.expression(whole, (&name, new), &replacement);
        }
    }

    /// Notes what a function may return without doing anything.
    fn body(&mut self, signature: &Signature, block: &Block) {
        let ReturnType::Type(_, result) = &signature.output else { return };
        let Type::Path(path) = &**result else { return };
        let Some(last) = path.path.segments.last() else { return };
        let kind = last.ident.to_string();
        let text = self.text(result.span()).replace(' ', "");
        let values: &[&str] = match &*kind {
            "bool" => &["true", "false"],
            "Option" => &["None"],
            _ if kind == "Result" && text.contains("Result<()") => &["Ok(())"],
            _ => return,
        };
        let start = block.brace_token.span.open().byte_range().end;
        let name = format!("fn {}", signature.ident);
        for value in values {
            self.push(start..start, (&name, value), |on| {
                (format!(" if {on} {{ return {value}; }}"), String::new())
            });
        }
    }

    fn within(
        &mut self,
        attributes: &[syn::Attribute],
        signature: &Signature,
        inner: impl FnOnce(&mut Self),
    ) {
        if is_for_tests(attributes) {
            return;
        }
        let before = self.constant.take();
        self.constant = signature.constness.as_ref().map(|token| token.span().byte_range());
        self.functions.push(signature.ident.to_string());
        inner(self);
        self.functions.pop();
        self.constant = before;
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_mod(&mut self, node: &'ast syn::ItemMod) {
        if !is_for_tests(&node.attrs) {
            visit::visit_item_mod(self, node);
        }
    }

    fn visit_item_impl(&mut self, node: &'ast syn::ItemImpl) {
        let of = node.trait_.as_ref().and_then(|(path, _)| path.segments.last());
        // Texts are for people, and tests of them would only repeat them.
        if of.is_some_and(|of| of.ident == "Display" || of.ident == "Debug") {
            return;
        }
        let name = match &*node.self_ty {
            Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        self.types.push(name.unwrap_or_else(|| self.text(node.self_ty.span()).to_owned()));
        visit::visit_item_impl(self, node);
        self.types.pop();
    }

    fn visit_item_trait(&mut self, node: &'ast syn::ItemTrait) {
        self.types.push(node.ident.to_string());
        visit::visit_item_trait(self, node);
        self.types.pop();
    }

    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        self.within(&node.attrs, &node.sig, |walk| {
            walk.body(&node.sig, &node.block);
            walk.visit_block(&node.block);
        });
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        self.within(&node.attrs, &node.sig, |walk| {
            walk.body(&node.sig, &node.block);
            walk.visit_block(&node.block);
        });
    }

    fn visit_trait_item_fn(&mut self, node: &'ast syn::TraitItemFn) {
        let Some(block) = &node.default else { return };
        self.within(&node.attrs, &node.sig, |walk| walk.visit_block(block));
    }

    // What the compiler computes, or matches, cannot depend on a switch.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_generic_argument(&mut self, _: &'ast syn::GenericArgument) {}
    fn visit_generics(&mut self, _: &'ast syn::Generics) {}
    fn visit_variant(&mut self, _: &'ast syn::Variant) {}

    fn visit_pat(&mut self, node: &'ast Pat) {
        if let Pat::Guard(guarded) = node {
            self.condition(&guarded.guard);
            self.visit_expr(&guarded.guard);
        }
    }

    fn visit_expr_repeat(&mut self, node: &'ast syn::ExprRepeat) {
        self.visit_expr(&node.expr);
    }

    fn visit_stmt(&mut self, node: &'ast Stmt) {
        if let Stmt::Expr(expression, Some(_)) = node {
            let deleted = match expression {
                Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_) | Expr::Try(_) => true,
                Expr::Binary(binary) => {
                    self.text(binary.op.span()).ends_with('=')
                        && !matches!(
                            binary.op,
                            BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Le(_) | BinOp::Ge(_)
                        )
                }
                _ => false,
            };
            if deleted {
                let place = node.span().byte_range();
                let old = self.source[place.clone()].to_owned();
                self.push(place, (&old, ""), |on| (format!("if !{on} {{ "), " }".to_owned()));
            }
        }
        visit::visit_stmt(self, node);
    }

    fn visit_expr(&mut self, node: &'ast Expr) {
        match node {
            Expr::If(node) => self.condition(&node.cond),
            Expr::While(node) => {
                let place = node.cond.span().byte_range();
                let old = self.source[place.clone()].to_owned();
                let (open, close) = if has_let(&node.cond) { ("", "") } else { ("(", ")") };
                self.push(place, (&old, "false"), |on| {
                    (format!("!{on} && {open}"), close.to_owned())
                });
            }
            Expr::Binary(node) => self.binary(node),
            Expr::MethodCall(node) => self.method(node),
            Expr::Unary(unary) => {
                let new = self.text(unary.expr.span()).to_owned();
                match unary.op {
                    UnOp::Not(_) => self.expression(node.span(), ("!", ""), &new),
                    UnOp::Neg(_) => self.expression(node.span(), ("-", ""), &new),
                    _ => {}
                }
            }
            Expr::Lit(literal) => {
                let old = self.text(node.span()).to_owned();
                match &literal.lit {
                    Lit::Int(_) => {
                        let new = format!("{old} + 1");
                        self.expression(node.span(), (&old, &new), &new);
                    }
                    Lit::Bool(value) => {
                        let new = (!value.value).to_string();
                        self.expression(node.span(), (&old, &new), &new);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        visit::visit_expr(self, node);
    }
}

/// Returns `true` if a condition binds variables, so that no parentheses may stand around it.
fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(node) if matches!(node.op, BinOp::And(_)) => {
            has_let(&node.left) || has_let(&node.right)
        }
        _ => false,
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.is_ident("test")
            || (path.is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|cfg| cfg == "test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source with the switch of each mutant alone.
    fn switched(source: &str) -> Vec<String> {
        let one = |mutant: Mutant| {
            let Range { start, end } = mutant.place;
            let (before, inner, after) = (&source[..start], &source[start..end], &source[end..]);
            [before, &mutant.before, inner, &mutant.after, after].concat().replace(ON, "N")
        };
        mutants(source).unwrap().into_iter().map(one).collect()
    }

    fn changes(source: &str) -> Vec<String> {
        let change = |mutant: Mutant| mutant.change.split(" | ").nth(1).unwrap().to_owned();
        mutants(source).unwrap().into_iter().map(change).collect()
    }

    #[test]
    fn a_switch_chooses_between_two_operators() {
        assert_eq!(
            switched("fn f(a: u8) { g(a < b) }"),
            ["fn f(a: u8) { g((if N { a <= b } else { a < b })) }"]
        );
    }

    #[test]
    fn a_guard_is_dropped_or_always_there() {
        assert_eq!(
            switched("fn f() { if x { return y } }"),
            ["fn f() { if (!N && (x)) { return y } }", "fn f() { if (N || (x)) { return y } }"]
        );
        assert_eq!(
            switched("fn f() { if let Some(y) = x && y { z } }"),
            ["fn f() { if !N && let Some(y) = x && y { z } }"]
        );
    }

    #[test]
    fn statements_go_and_functions_answer_at_once() {
        assert_eq!(
            switched("fn f() -> bool { g(); h() }"),
            [
                "fn f() -> bool { if N { return true; } g(); h() }",
                "fn f() -> bool { if N { return false; } g(); h() }",
                "fn f() -> bool { if !N { g(); } h() }",
            ]
        );
        assert_eq!(changes("fn f() -> Result<(), E> { g() }"), ["`fn f` -> `Ok(())`"]);
        assert!(changes("fn f() -> Result<u8, E> { g() }").is_empty());
    }

    #[test]
    fn what_the_compiler_computes_or_matches_stays() {
        assert!(changes("const A: u8 = 1 + 2; static B: [u8; 3] = C;").is_empty());
        assert!(changes("fn f() { match x { 1..=2 => y, _ => z } }").is_empty());
        assert!(changes("fn f() -> [u8; 4] { x as T<5> }").is_empty());
        assert!(changes("#[cfg(test)] mod tests { fn f() { 1 + 1; } }").is_empty());
        assert_eq!(
            changes("fn f() { match x { y if z => w, _ => v } }"),
            ["`z` -> `false`", "`z` -> `true`"]
        );
    }

    #[test]
    fn a_const_fn_is_named_by_its_const() {
        let source = "pub const fn f() -> u8 { a - b }";
        assert_eq!(mutants(source).unwrap()[0].constant, Some(4..9));
    }

    #[test]
    fn changes_name_the_function_and_its_type_and_are_told_apart() {
        let found = mutants("impl<'a> T<'a> { fn f() { x(a < b, a < b); } }").unwrap();
        let line = "impl<'a> T<'a> { fn f() { x(a < b, a < b); } } | `<` -> `<=`";
        assert_eq!(found[1].function, "T::f");
        assert_eq!(found[1].change, line);
        assert_eq!(found[2].change, format!("{line} (2)"));
    }
}
