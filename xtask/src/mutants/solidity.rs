//! Mutants of a Solidity file: places in its syntax tree, and what to put there.

use std::ops::Range;

use eyre::OptionExt as _;
use serde_json::Value;

/// One change of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mutant {
    /// Bytes of the source that go.
    pub(super) place: Range<usize>,
    /// Replacement text.
    pub(super) new: String,
    /// The function around it, or the contract.
    pub(super) function: String,
}

impl Mutant {
    /// The source with this change.
    pub(super) fn apply(&self, source: &str) -> String {
        [&source[..self.place.start], &self.new, &source[self.place.end..]].concat()
    }

    /// Position and change, on one line. The line number is left out, because it changes with
    /// everything above.
    pub(super) fn describe(&self, source: &str) -> String {
        let on_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let start = source[..self.place.start].rfind('\n').map_or(0, |end| end + 1);
        let line = source[start..].lines().next().unwrap_or_default().trim();
        let (old, new) = (on_one_line(&source[self.place.clone()]), on_one_line(&self.new));
        format!("{}: {line} | `{old}` -> `{new}`", self.function)
    }
}

/// Operators and what they become.
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
    ("|=", "&="),
    ("&=", "|="),
    ("<<=", ">>="),
    (">>=", "<<="),
    ("++", "--"),
    ("--", "++"),
];

/// Operators of assembly and their replacements.
const INSTRUCTIONS: [(&str, &str); 14] = [
    ("add", "sub"),
    ("sub", "add"),
    ("mul", "div"),
    ("div", "mul"),
    ("lt", "gt"),
    ("gt", "lt"),
    ("and", "or"),
    ("or", "and"),
    ("shl", "shr"),
    ("shr", "shl"),
    ("iszero", "not"),
    ("not", "iszero"),
    ("eq", "sub"),
    ("byte", "shr"),
];

/// Returns the mutants of a source, by solc's syntax tree.
pub(super) fn mutants(tree: &Value, source: &str) -> eyre::Result<Vec<Mutant>> {
    let mut walk = Walk { source, found: Vec::new() };
    walk.visit(tree, &mut String::new())?;
    walk.found.sort_by(|a, b| (a.place.start, &a.new).cmp(&(b.place.start, &b.new)));
    walk.found.dedup();
    Ok(walk.found)
}

struct Walk<'a> {
    source: &'a str,
    found: Vec<Mutant>,
}

impl Walk<'_> {
    fn visit(&mut self, node: &Value, inside: &mut String) -> eyre::Result<()> {
        match node {
            Value::Array(nodes) => nodes.iter().try_for_each(|node| self.visit(node, inside)),
            Value::Object(fields) => {
                let mut name = inside.clone();
                match node["nodeType"].as_str() {
                    // Where there is nothing that runs.
                    Some("PragmaDirective" | "ImportDirective" | "OverrideSpecifier") => {
                        return Ok(());
                    }
                    Some("ContractDefinition") if node["contractKind"] == "interface" => {
                        return Ok(());
                    }
                    Some("ContractDefinition") => name = text(&node["name"]),
                    Some("FunctionDefinition" | "ModifierDefinition") => {
                        let own = text(&node["name"]);
                        let own = if own.is_empty() { text(&node["kind"]) } else { own };
                        name = format!("{inside}.{own}");
                    }
                    Some(kind) => self.mutate(kind, node, inside)?,
                    None => {}
                }
                if node["nodeType"] == "FunctionDefinition" && node["kind"] != "constructor" {
                    for modifier in node["modifiers"].as_array().into_iter().flatten() {
                        self.push(place(modifier)?, "", &name);
                    }
                }
                fields.values().try_for_each(|field| self.visit(field, &mut name))
            }
            _ => Ok(()),
        }
    }

    /// Notes the mutants of one node.
    fn mutate(&mut self, kind: &str, node: &Value, inside: &str) -> eyre::Result<()> {
        match kind {
            "BinaryOperation" => {
                self.operator(node, &node["leftExpression"], &node["rightExpression"], inside)
            }
            "Assignment" => {
                self.operator(node, &node["leftHandSide"], &node["rightHandSide"], inside)
            }
            "IfStatement" | "Conditional" => {
                let condition = place(&node["condition"])?;
                self.push(condition.clone(), "true", inside);
                self.push(condition, "false", inside);
                Ok(())
            }
            "WhileStatement" | "ForStatement" if !node["condition"].is_null() => {
                self.push(place(&node["condition"])?, "false", inside);
                Ok(())
            }
            "ExpressionStatement" | "EmitStatement" => {
                let statement = place(node)?;
                // An empty statement is none in Solidity, but an empty block is.
                let rest = &self.source[statement.end..];
                if rest.trim_start().starts_with(';') {
                    let end = statement.end + rest.len() - rest.trim_start().len() + 1;
                    self.push(statement.start..end, "{}", inside);
                }
                Ok(())
            }
            "UnaryOperation" => {
                let (all, operand) = (place(node)?, place(&node["subExpression"])?);
                let operator = text(&node["operator"]);
                let own = if node["prefix"] == true {
                    all.start..all.start + operator.len()
                } else {
                    operand.end..all.end
                };
                match &*operator {
                    "!" | "~" => self.push(own, "", inside),
                    _ => self.replace(own, &operator, &OPERATORS, inside),
                }
                Ok(())
            }
            "Literal" if node["kind"] == "number" => {
                let place = place(node)?;
                let digits = &self.source[place.clone()];
                // A number with as many digits as an address is one.
                if digits.len() < 42 {
                    self.push(place, &format!("({digits} + 1)"), inside);
                }
                Ok(())
            }
            "YulFunctionCall" => {
                let name = text(&node["functionName"]["name"]);
                self.replace(place(&node["functionName"])?, &name, &INSTRUCTIONS, inside);
                Ok(())
            }
            "YulExpressionStatement" => {
                self.push(place(node)?, "", inside);
                Ok(())
            }
            "YulLiteral" if node["kind"] == "number" => {
                let place = place(node)?;
                let new = format!("add({}, 1)", &self.source[place.clone()]);
                self.push(place, &new, inside);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The operator between two operands.
    fn operator(
        &mut self,
        node: &Value,
        left: &Value,
        right: &Value,
        inside: &str,
    ) -> eyre::Result<()> {
        let operator = text(&node["operator"]);
        let (from, to) = (place(left)?.end, place(right)?.start);
        let at = from + self.source[from..to].find(&operator).ok_or_eyre("an operator")?;
        self.replace(at..at + operator.len(), &operator, &OPERATORS, inside);
        Ok(())
    }

    fn replace(
        &mut self,
        place: Range<usize>,
        old: &str,
        table: &[(&'static str, &'static str)],
        inside: &str,
    ) {
        if let Some((_, new)) = table.iter().find(|(from, _)| *from == old) {
            self.push(place, new, inside);
        }
    }

    fn push(&mut self, place: Range<usize>, new: &str, inside: &str) {
        // What stands there already is no change.
        if self.source[place.clone()] != *new {
            self.found.push(Mutant { place, new: new.to_owned(), function: inside.to_owned() });
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Bytes of a node: `start:length:file`.
fn place(node: &Value) -> eyre::Result<Range<usize>> {
    let mut parts = node["src"].as_str().ok_or_eyre("a node without a place")?.split(':');
    let mut number = || parts.next().ok_or_eyre("half a place").and_then(|n| Ok(n.parse()?));
    let (start, length): (usize, usize) = (number()?, number()?);
    Ok(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(kind: &str, source: &str, part: &str, more: &Value) -> Value {
        let start = source.find(part).unwrap();
        let mut node = json!({ "nodeType": kind, "src": format!("{start}:{}:0", part.len()) });
        node.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        node
    }

    fn changed(tree: &Value, source: &str) -> Vec<String> {
        mutants(tree, source).unwrap().iter().map(|mutant| mutant.apply(source)).collect()
    }

    #[test]
    fn a_comparison_loses_its_bound() {
        let source = "if (a < b) c();";
        let (a, b) = (node("Identifier", source, "a", &json!({})), json!({ "src": "8:1:0" }));
        let sides = json!({ "operator": "<", "leftExpression": a, "rightExpression": b });
        let tree = node("BinaryOperation", source, "a < b", &sides);
        assert_eq!(changed(&tree, source), ["if (a <= b) c();"]);
        let condition = json!({ "condition": tree });
        let tree = node("IfStatement", source, "if (a < b) c()", &condition);
        assert_eq!(
            changed(&tree, source),
            ["if (false) c();", "if (true) c();", "if (a <= b) c();"]
        );
    }

    #[test]
    fn a_statement_goes_and_leaves_a_block() {
        let source = "if (x) c() ; d();";
        let tree = node("ExpressionStatement", source, "c()", &json!({}));
        assert_eq!(changed(&tree, source), ["if (x) {} d();"]);
    }

    #[test]
    fn numbers_grow_and_addresses_do_not() {
        let source = "uint a = 8_191; x = 0x00000000219ab540356cBB839Cbe05303d7705Fa;";
        let number = json!({ "kind": "number" });
        let tree = json!([
            node("Literal", source, "8_191", &number),
            node("Literal", source, "0x00000000219ab540356cBB839Cbe05303d7705Fa", &number),
        ]);
        let expected = source.replace("8_191", "(8_191 + 1)");
        assert_eq!(changed(&tree, source), [expected]);
    }

    #[test]
    fn functions_lose_their_modifiers_and_constructors_keep_their_bases() {
        let source = "function f() external only {}";
        let modifier = node("ModifierInvocation", source, "only", &json!({}));
        let function = |kind: &str| {
            let more = json!({ "kind": kind, "name": "f", "modifiers": [modifier] });
            node("FunctionDefinition", source, source, &more)
        };
        assert_eq!(changed(&function("function"), source), ["function f() external  {}"]);
        assert!(changed(&function("constructor"), source).is_empty());
    }

    #[test]
    fn interfaces_have_none() {
        let source = "1";
        let literal = node("Literal", source, "1", &json!({ "kind": "number" }));
        let contract = |kind: &str| {
            json!({ "nodeType": "ContractDefinition", "contractKind": kind, "name": "I",
                    "nodes": [literal] })
        };
        assert!(mutants(&contract("interface"), source).unwrap().is_empty());
        let found = mutants(&contract("contract"), source).unwrap();
        assert_eq!(found[0].function, "I");
        assert_eq!(found[0].describe(source), "I: 1 | `1` -> `(1 + 1)`");
    }

    #[test]
    fn instructions_of_assembly_change_too() {
        let source = "mstore(0x40, add(a, 1))";
        let add = json!({ "name": "add", "src": "13:3:0" });
        let call = node("YulFunctionCall", source, "add(a, 1)", &json!({ "functionName": add }));
        let more = json!({ "expression": call });
        let tree = node("YulExpressionStatement", source, source, &more);
        assert_eq!(changed(&tree, source), ["", "mstore(0x40, sub(a, 1))"]);
    }
}
