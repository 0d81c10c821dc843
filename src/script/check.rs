//! Finds variables that cannot exist before anything runs. Rhai's own strict
//! mode would do it, but it does not know the constants of global modules nor
//! the variables that bindings provide on demand.
//!
//! Left out: functions and fields; what a value is called with depends on its
//! type, which is known only when it runs.

use rhai::{AST, ASTNode, Expr, Position, Scope, Stmt};

use super::control::Control;

/// A variable that nothing defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its name.
    pub name: String,
    /// Where it is used.
    pub pos: Position,
}

/// All uses of unknown variables, in order of appearance. `scope` holds the
/// variables that the script's own statements see; functions see none of them,
/// unless somebody calls one as `f!()`, which hands it the caller's variables:
/// then functions are not checked.
pub fn unknown_variables(control: &Control, ast: &AST, scope: &Scope) -> Vec<Unknown> {
    let names: Vec<&str> = ast.iter_functions().map(|f| f.name).collect();
    // What a closure captures becomes its parameter; the place where it is made
    // is checked instead.
    let closures = ast.iter_functions().filter(|f| f.name.starts_with("anon$"));
    let captured: Vec<&str> = closures.flat_map(|f| f.params).collect();
    let known = |name: &str| control.is_defined(name) || names.contains(&name);
    let mut found = Vec::new();
    let mut shares_scope = false;
    for stmt in ast.statements() {
        stmt.walk(&mut Vec::new(), &mut |path| {
            shares_scope |= calls_with_scope(path);
            found.extend(unresolved(path).filter(|u| !known(&u.name) && !scope.contains(&u.name)));
            true
        });
    }
    let mut in_functions = Vec::new();
    ast.clone_functions_only().walk(&mut |path| {
        shares_scope |= calls_with_scope(path);
        let unknown = |u: &Unknown| !known(&u.name) && !captured.contains(&u.name.as_str());
        in_functions.extend(unresolved(path).filter(unknown));
        true
    });
    if !shares_scope {
        found.append(&mut in_functions);
    }
    found.sort_by_key(|u| (u.pos.line(), u.pos.position()));
    found.dedup();
    found
}

/// The variable of a node that the parser could not resolve to a definition.
fn unresolved(path: &[ASTNode]) -> impl Iterator<Item = Unknown> + use<> {
    let unknown = match path.last() {
        Some(ASTNode::Expr(Expr::Variable(var, short_index, pos)))
            if short_index.is_none() && var.0.is_none() && var.2.is_empty() =>
        {
            Some(Unknown { name: var.1.to_string(), pos: *pos })
        }
        _ => None,
    };
    unknown.into_iter()
}

fn calls_with_scope(path: &[ASTNode]) -> bool {
    match path.last() {
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
            call.capture_parent_scope
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::control::Buffer;
    use crate::script::engine::build;

    fn unknown(code: &str) -> String {
        let control = Control::new(Default::default(), Default::default(), Box::new(Buffer::new()));
        let engine = build(&control);
        let mut scope = Scope::new();
        scope.push("init", 1_i64);
        let ast = engine.compile(code).unwrap();
        let found = unknown_variables(&control, &ast, &scope);
        found.iter().map(|u| format!("{}@{:?} ", u.name, u.pos)).collect()
    }

    #[test]
    fn unknown_names_are_found_everywhere() {
        assert_eq!(
            unknown("let a = b; fn f(x) { x + y } [1, #{k: z}];\n`${w}`"),
            "b@1:9 y@1:26 z@1:39 w@2:4 "
        );
        assert_eq!(unknown("assert(q == 1); let f = |x| x + p; "), "q@1:8 p@1:33 ");
        assert_eq!(unknown("fn f() { init }"), "init@1:10 ");
    }

    #[test]
    fn what_exists_is_not_reported() {
        for code in [
            "init + 1",
            "EPERM",
            "let f = || init + EPERM.code; f.call()",
            "fn f() { EPERM } f()",
            "let a = 1; let f = |x| x + a; f.call(a)",
            "let a = 1; let g = || { || a + 1 }; a",
            "for (x, i) in [1] { x + i }",
            "try { 1 } catch (e) { e }",
            "switch 1 { 1 if 1 == 1 => 2, _ => 3 }",
            "fn f() { this } 1.f()",
            "fn f(x) { x } let g = f; [1].map(f)",
            "let m = #{a: 1}; m.b; m?.c",
            "import \"x\" as m; m::f(m::X)",
            "const A = 1; fn f() { global::A }",
            "let x = 1; export x as y;",
            "is_def_var(\"nothing\")",
            "let a = 1; fn f() { a } f!()",
            "expect(init == 1, \"x\")",
            "let x = if true { let y = 1; y } else { 2 }; x",
        ] {
            assert_eq!(unknown(code), "", "{code}");
        }
    }
}
