use super::check;
use crate::language::cypher::parse;
use crate::language::cypher::procedure::ProcedureSignatures;

/// Returns the code of the first mistake, or "".
fn code(text: &str) -> String {
    let statement = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    match check(text, &statement, &|name| name == "p", &ProcedureSignatures::new()) {
        Ok(()) => String::new(),
        Err(error) => error.code,
    }
}

#[test]
fn mistakes_have_their_codes() {
    for (text, expected) in [
        ("MATCH () RETURN foo", "SyntaxError.UndefinedVariable"),
        ("MATCH (n)-[n]-() RETURN n", "SyntaxError.VariableTypeConflict"),
        ("MATCH (p), p = ()-->() RETURN p", "SyntaxError.VariableAlreadyBound"),
        ("MATCH ()-[r]->()-[r]->() RETURN r", "SyntaxError.RelationshipUniquenessViolation"),
        ("MATCH (n $p) RETURN n", "SyntaxError.InvalidParameterUse"),
        ("RETURN $q", "ParameterMissing.MissingParameter"),
        ("MATCH (a) CREATE (a)", "SyntaxError.VariableAlreadyBound"),
        ("CREATE ()-->()", "SyntaxError.NoSingleRelationshipType"),
        ("CREATE ()-[:A]-()", "SyntaxError.RequiresDirectedRelationship"),
        ("CREATE ()-[:A*2]->()", "SyntaxError.CreatingVarLength"),
        ("MATCH (n) DELETE n:A", "SyntaxError.InvalidDelete"),
        ("MATCH () DELETE 1 + 1", "SyntaxError.InvalidArgumentType"),
        ("MATCH (n) WHERE count(n) > 1 RETURN n", "SyntaxError.InvalidAggregation"),
        ("RETURN count(count(*))", "SyntaxError.NestedAggregation"),
        ("RETURN count(rand())", "SyntaxError.NonConstantExpression"),
        ("MATCH (a), (b) RETURN a.x + count(b.x)", "SyntaxError.AmbiguousAggregationExpression"),
        ("MATCH (a), (b) RETURN a.x, a.x + count(b.x)", ""),
        ("MATCH (a) RETURN a.x, count(*) ORDER BY a.x + count(*)", ""),
        (
            "MATCH (a) RETURN a.x + 1, count(*) ORDER BY a.x + 1 + count(*)",
            "SyntaxError.AmbiguousAggregationExpression",
        ),
        ("MATCH (a) RETURN count(a) AS c ORDER BY a.x + count(a)", "SyntaxError.UndefinedVariable"),
        ("MATCH (a) RETURN a.x ORDER BY max(a.y)", "SyntaxError.InvalidAggregation"),
        ("MATCH (a) RETURN DISTINCT a.x ORDER BY a.y", "SyntaxError.UndefinedVariable"),
        ("MATCH (a) RETURN DISTINCT a.x ORDER BY a.x", ""),
        ("MATCH (a) RETURN a.x AS x ORDER BY a.y, x", ""),
        ("RETURN 1 AS a, 2 AS a", "SyntaxError.ColumnNameConflict"),
        ("WITH 1 + 1 RETURN 1", "SyntaxError.NoExpressionAlias"),
        ("MATCH () RETURN *", "SyntaxError.NoVariablesInScope"),
        ("RETURN 1 AS a UNION RETURN 2 AS b", "SyntaxError.DifferentColumnsInUnion"),
        ("RETURN 1 AS a UNION RETURN 2 AS a UNION ALL RETURN 3 AS a", "SyntaxError.InvalidClauseComposition"),
        ("MATCH (n) RETURN n SKIP -1", "SyntaxError.NegativeIntegerArgument"),
        ("MATCH (n) RETURN n LIMIT 1.5", "SyntaxError.InvalidArgumentType"),
        ("MATCH (n) RETURN n LIMIT n.x", "SyntaxError.NonConstantExpression"),
        ("RETURN foo(1)", "SyntaxError.UnknownFunction"),
        ("RETURN size()", "SyntaxError.InvalidNumberOfArguments"),
        ("MATCH (n) RETURN (n)-->()", "SyntaxError.UnexpectedSyntax"),
        ("MATCH (n) WHERE (n)-->(m) RETURN n", "SyntaxError.UndefinedVariable"),
        ("MATCH (n) WHERE (n) RETURN n", "SyntaxError.InvalidArgumentType"),
        ("WITH 1 AS x RETURN x.y", "TypeError.InvalidArgumentType"),
        ("RETURN none(x IN ['a'] WHERE x % 2 = 0)", "SyntaxError.InvalidArgumentType"),
        ("WITH [1] AS x MATCH (x) RETURN x", "SyntaxError.VariableTypeConflict"),
        ("MATCH (n) WHERE exists { MATCH (n) SET n.x = 1 } RETURN n", "SyntaxError.InvalidClauseComposition"),
        ("CALL nothing()", "ProcedureError.ProcedureNotFound"),
        ("MATCH (n) WITH n.x AS x RETURN n", "SyntaxError.UndefinedVariable"),
        ("MATCH (n)", "SyntaxError.InvalidClauseComposition"),
        ("MERGE (n) ON CREATE SET m.x = 1", "SyntaxError.UndefinedVariable"),
        ("MATCH (n) RETURN [x IN [1] | count(*)]", "SyntaxError.InvalidAggregation"),
    ] {
        assert_eq!(code(text), expected, "{text}");
    }
}
