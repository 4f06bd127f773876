use crate::language::cypher::ast::{ClauseKind, ExprKind};
use crate::language::cypher::parse;

/// Returns the one returned expression in a form with every grouping shown.
fn shape(text: &str) -> String {
    fn show(expression: &crate::language::cypher::ast::Expr) -> String {
        let mut operands = Vec::new();
        expression.for_each_operand(&mut |operand| operands.push(show(operand)));
        let name = match &expression.kind {
            ExprKind::Integer(value) => return value.to_string(),
            ExprKind::Variable(name) => return name.clone(),
            ExprKind::Binary(operator, ..) => format!("{operator:?}"),
            ExprKind::Call { function, .. } => function.clone(),
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        };
        format!("{name}({})", operands.join(" "))
    }
    let statement = parse(&format!("RETURN {text}")).unwrap_or_else(|error| panic!("{text}: {error}"));
    match &statement.query.first.clauses[0].kind {
        ClauseKind::Return(projection) => show(&projection.items[0].expression),
        other => panic!("{other:?}"),
    }
}

#[test]
fn operators_bind_as_they_rank() {
    for (text, expected) in [
        ("1 + 2 * 3", "Add(1 Multiply(2 3))"),
        ("1 - 2 - 3", "Subtract(Subtract(1 2) 3)"),
        ("2 ^ 3 ^ 2", "Power(Power(2 3) 2)"),
        ("NOT a = b AND c OR d XOR e", "Or(And(Not(Comparison(a b)) c) Xor(d e))"),
        ("1 < a <= 3 = b", "Comparison(1 a 3 b)"),
        ("a + 1 IN b", "In(Add(a 1) b)"),
        ("a IS NOT NULL = b", "Comparison(IsNull(a) b)"),
        ("-a.b[0]", "Minus(Index(Property(a) 0))"),
        ("a[1..][..2]", "Slice(Slice(a 1) 2)"),
        ("n:A:B AND m", "And(HasLabels(n) m)"),
        ("date.truncate('day', d).x", "Property(date.truncate(String() d))"),
        ("[x IN y WHERE x > 1 | x * 2]", "ListComprehension(y Comparison(x 1) Multiply(x 2))"),
        ("[(a)-->(b {c: 1}) | b]", "PatternComprehension(Map(1) b)"),
        ("(a)-(b)", "Subtract(a b)"),
        ("size((a)-->(b))", "size(Pattern())"),
        ("CASE a WHEN 1, 2 THEN 3 ELSE 4 END", "Case(a 1 2 3 4)"),
        ("n {.a, .*, b: 1, c}", "MapProjection(1)"),
        ("-9223372036854775808", "-9223372036854775808"),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn refused_texts_say_where_and_what() {
    for (text, code, column, part) in [
        ("MATCH (n RETURN n", "UnexpectedSyntax", 10, "')'"),
        ("RETURN [, ]", "UnexpectedSyntax", 9, "an expression"),
        ("RETURN {k1.k: 1}", "UnexpectedSyntax", 11, "':'"),
        ("RETURN 9h", "InvalidNumberLiteral", 8, "not a number"),
        ("RETURN {1B2: 1}", "UnexpectedSyntax", 9, "a name"),
        ("RETURN 9223372036854775808", "IntegerOverflow", 8, "64 bits"),
        ("MATCH (a)-[:L..]->(b) RETURN a", "InvalidRelationshipPattern", 14, "'*'"),
        ("RETURN 1 RETRUN 2", "UnexpectedSyntax", 10, "an operator"),
        ("", "UnexpectedSyntax", 1, "RETURN"),
        ("RETURN 1 AS", "UnexpectedSyntax", 12, "a name"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.code, format!("SyntaxError.{code}"), "{text}: {error}");
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
}

#[test]
fn whole_statements_are_read() {
    for text in [
        "EXPLAIN MATCH (n:A {k: $p})<-[r:T|:U*1..3]-(m) WHERE n.x = 1 RETURN DISTINCT *, 1 AS one ORDER BY n.x DESC SKIP 1 LIMIT 2;",
        "USE `http://example.org/g` MATCH p = shortestPath((a)-[*]-(b)) RETURN p",
        "MERGE (a)-[:R]->(b) ON CREATE SET a.x = 1, a:L ON MATCH SET a += {y: 2} REMOVE a.x, a:L",
        "MATCH (n) DETACH DELETE n, n.x UNION ALL CALL a.b.c(1) YIELD x AS y WHERE y > 1 RETURN y",
        "MATCH (n) WHERE exists { (n)-->(m) WHERE m.x = 1 } AND NOT exists { MATCH (n) RETURN 1 } RETURN n{.*}",
        "FOREACH (x IN [1, 2] | CREATE (n {v: x}) SET n:L)",
        "RETURN all(x IN [1] WHERE x = 1), reduce(a = 0, x IN [1] | a + x), count(*), count(DISTINCT 1)",
        "CALL test.doNothing",
        "MATCH (n) OPTIONAL CALL (n) { RETURN 1 AS x UNION RETURN 2 AS x } CALL { WITH x RETURN x AS y } CALL (*) { CREATE (m) } RETURN y",
        "CALL () { CREATE (:A) } IN TRANSACTIONS OF $p ROWS ON ERROR FAIL",
        "CALL { CREATE (:A) } IN $n CONCURRENT TRANSACTIONS REPORT STATUS AS s ON ERROR BREAK OF 1 ROW RETURN s",
        "MATCH p = ((a)-[r:T]->(b) WHERE a.x = 1){,3} (c)-->+(d)<-[:U {k: 1}]-{2}(e) RETURN p",
        "LOAD CSV WITH HEADERS FROM $p AS row FIELDTERMINATOR '\\t' RETURN row",
        "CREATE CONSTRAINT c IF NOT EXISTS FOR (n:L) REQUIRE (n.a, n.b) IS NODE KEY",
        "CREATE CONSTRAINT FOR ()<-[r:T]-() REQUIRE r.a IS REL UNIQUE OPTIONS {}",
        "CREATE CONSTRAINT $name FOR ()-[r:T]-() REQUIRE (r.a) IS NOT NULL",
    ] {
        parse(text).unwrap_or_else(|error| panic!("{text}\n{}\n{error}", error.excerpt(text)));
    }
}

#[test]
fn deep_nesting_is_refused_and_long_lists_are_not() {
    let deep = |open: &str, close: &str| format!("RETURN {}1{}", open.repeat(5000), close.repeat(5000));
    for text in [
        deep("(", ")"),
        deep("[", "]"),
        deep("{a: ", "}"),
        deep("NOT ", ""),
        deep("- ", ""),
        deep("[x IN ", "]"),
        deep("exists { MATCH (n) WHERE ", "}"),
        deep("({a: ", "})-->()"),
        deep("CASE WHEN ", " THEN 1 END"),
        deep("size(", ")"),
        deep("1 + ", ""),
        deep("1 OR 1 AND 1 = 1 IN 1 + 1 * 1 ^ (", ")"),
        format!("MATCH (a){} RETURN a", "-->()".repeat(5000)),
        format!("RETURN a{}", ".b".repeat(5000)),
        format!("MATCH (a:{}A{}) RETURN a", "(".repeat(5000), ")".repeat(5000)),
        format!("{}RETURN 1 AS x{} RETURN x", "CALL { ".repeat(5000), " }".repeat(5000)),
        format!("{}CREATE (){}", "FOREACH (x IN [1] | ".repeat(5000), ")".repeat(5000)),
        format!("MATCH {}(a)-->(b){} RETURN 1", "(".repeat(5000), ")+".repeat(5000)),
        format!("MATCH (a){} RETURN a", "((x)-->(y))+".repeat(5000)),
    ] {
        let error = parse(&text).unwrap_err();
        assert_eq!(error.code, "SyntaxError.UnexpectedSyntax", "{}", &text[..40]);
    }
    let long = |part: &str| format!("RETURN 1{}", part.repeat(5000));
    for text in [long(" OR 1"), long(" AND 1"), format!("RETURN [1{}]", ", 1".repeat(5000))] {
        parse(&text).unwrap();
    }
}
