using KafkaEventSourcing.Avro.Tests.Evolution;
using static KafkaEventSourcing.Avro.Tests.Evolution.GeneratedTypes;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>Names and texts that Avro has and C# does not: what the generator makes of them compiles, and works.</summary>
public sealed class GeneratedCodeTests
{
    [Fact]
    public void Keywords_may_be_names_of_namespaces_types_and_fields()
    {
        GeneratedTypes types = Of(
            """{"type":"record","name":"event","namespace":"com.event.record","fields":[{"name":"class","type":"int"},{"name":"value","type":"int"}]}""",
            """{"type":"record","name":"Holder","namespace":"com.event.record","fields":[{"name":"event","type":"event"},{"name":"var","type":{"type":"enum","name":"enum","symbols":["new","get"]}}]}""");
        ValueOf((IAvroRecord)ValueOf(types["com.event.record.Holder"].Read([2, 4, 2]), "Event")!, "Value").ShouldBe(2);
    }

    [Fact]
    public void Documentation_may_have_any_character() =>
        Of(
            """{"type":"record","name":"Documented","namespace":"T.G","doc":"one\u2028two\u2029\u0085three\r\nfour\u0001 <x> & \ud800","fields":[{"name":"a","type":"int","doc":"*/ \u2028 x"}]}""")["T.G.Documented"]
            .Read([2]).ShouldNotBeNull();

    [Theory]
    [InlineData("amount,Amount", "AmountValue,Amount")]
    [InlineData("clone,equals,toString,getHashCode", "CloneValue,EqualsValue,ToStringValue,GetHashCodeValue")]
    [InlineData("cased,casedValue,Cased,CasedValue", "CasedValue2,CasedValueValue,Cased,CasedValue")]
    [InlineData("_f0,_f1,schemaJson,writeTo", "_f0Value,_f1Value,SchemaJsonValue,WriteToValue")]
    [InlineData("names", "NamesValue")]
    [InlineData("ID,Id,id", "ID,IdValue,IdValue2")] // all three are id in JSON
    public void Fields_whose_names_collide_have_properties_of_their_own(string fields, string properties)
    {
        string[] names = fields.Split(',');
        string schema =
            $$"""{"type":"record","name":"Names","namespace":"T.G","fields":[{{string.Join(',', names.Select(n => $$"""{"name":"{{n}}","type":"int"}"""))}}]}""";
        IAvroRecord read = Of(schema)["T.G.Names"].Read([.. Enumerable.Range(1, names.Length).Select(i => (byte)(2 * i))]);
        properties.Split(',').Select(p => ValueOf(read, p)).ShouldBe(Enumerable.Range(1, names.Length).Cast<object?>());
    }

    // It was defined twice in the text of the schema, and the type failed when it was used.
    [Fact]
    public void Type_that_is_named_before_it_is_defined_is_defined_once()
    {
        AvroRecordType type = Of(
            """{"type":"record","name":"Later","namespace":"T.G","fields":[{"name":"a","type":"LaterPart"},{"name":"b","type":{"type":"record","name":"LaterPart","fields":[{"name":"v","type":"int"}]}}]}""")["T.G.Later"];
        ValueOf((IAvroRecord)ValueOf(type.Read([2, 4]), "B")!, "V").ShouldBe(2);
    }

    [Fact]
    public void Record_that_has_the_name_of_a_member_is_called_a_record()
    {
        AvroRecordType type = Of(
            """{"type":"record","name":"Equals","namespace":"T.G","fields":[{"name":"next","type":["null","Equals"],"default":null}]}""")["T.G.Equals"];
        type.Type.Name.ShouldBe("EqualsRecord");
        type.FullName.ShouldBe("T.G.Equals");
        type.Read([2, 0]).ShouldBe(type.Read([2, 0]));
    }

    [Fact]
    public void Types_whose_names_differ_by_case_are_both_made()
    {
        GeneratedTypes types = Of(
            """{"type":"record","name":"Money","namespace":"T.G","fields":[{"name":"a","type":"int"}]}""",
            """{"type":"record","name":"money","namespace":"T.G","fields":[{"name":"b","type":"int"}]}""");
        ValueOf(types["T.G.Money"].Read([2]), "A").ShouldBe(1);
        ValueOf(types["T.G.money"].Read([2]), "B").ShouldBe(1);
    }

    [Theory]
    [InlineData("array", "items", new byte[] { 2, 2, 6, 0, 0 })]
    [InlineData("map", "values", new byte[] { 2, 2, (byte)'k', 2, 6, 0, 0 })]
    public void Collections_in_collections_are_equal_item_by_item(string kind, string content, byte[] value)
    {
        string schema =
            $$$"""{"type":"record","name":"Nested{{{kind}}}","namespace":"T.G","fields":[{"name":"all","type":{"type":"{{{kind}}}","{{{content}}}":{"type":"array","items":"int"} } }]}""";
        AvroRecordType type = Of(schema)[$"T.G.Nested{kind}"];
        type.Read(value).ShouldBe(type.Read(value));
        type.Read(value).GetHashCode().ShouldBe(type.Read(value).GetHashCode());
        byte[] other = [.. value];
        other[^3] = 8;
        type.Read(value).ShouldNotBe(type.Read(other));
    }

    // It was made, and failed when it was used: Apache Avro refuses a logical type that does not fit, which the specification asks to
    // ignore.
    [Fact]
    public void Logical_type_that_does_not_fit_is_ignored()
    {
        AvroRecordType type = Of(
            """{"type":"record","name":"Unfit","namespace":"T.G","fields":[{"name":"a","type":{"type":"string","logicalType":"date"}},{"name":"b","type":{"type":"int","logicalType":"of-our-own"}}]}""")["T.G.Unfit"];
        IAvroRecord read = type.Read([2, (byte)'x', 4]);
        ValueOf(read, "A").ShouldBe("x");
        read.Schema.ShouldBeSameAs(((IAvroRecord)type.Read([2, (byte)'x', 4])).Schema);
        type.Schema.Fields.Count.ShouldBe(2);
    }
}
