using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro.Tests.Evolution;

/// <summary>
/// The rules of Avro's specification 1.12, "Schema Resolution", each for itself: writer, reader, whether every value is read. Where this
/// library is stricter, docs/schema-evolution.md says so.
/// </summary>
public sealed class ResolutionRuleTests
{
    private static readonly string[] Primitives = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

    private static readonly HashSet<(string, string)> Promotions =
    [
        ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"), ("float", "double"),
        ("string", "bytes"), ("bytes", "string"),
    ];

    private const string IntArray = """{"type":"array","items":"int"}""";
    private const string LongArray = """{"type":"array","items":"long"}""";
    private const string IntMap = """{"type":"map","values":"int"}""";
    private const string LongMap = """{"type":"map","values":"long"}""";
    private const string EnumAb = """{"type":"enum","name":"E","symbols":["A","B"]}""";
    private const string EnumBa = """{"type":"enum","name":"E","symbols":["B","A"]}""";
    private const string EnumAbc = """{"type":"enum","name":"E","symbols":["A","B","C"]}""";
    private const string EnumAbDefault = """{"type":"enum","name":"E","symbols":["A","B"],"default":"A"}""";
    private const string OtherEnum = """{"type":"enum","name":"F","symbols":["A","B"]}""";
    private const string Fixed4 = """{"type":"fixed","name":"X","size":4}""";
    private const string Fixed8 = """{"type":"fixed","name":"X","size":8}""";
    private const string List = """{"type":"record","name":"List","fields":[{"name":"head","type":"int"},{"name":"tail","type":["null","List"]}]}""";
    private const string LongList = """{"type":"record","name":"List","fields":[{"name":"head","type":"long"},{"name":"tail","type":["null","List"]}]}""";
    private const string TextList = """{"type":"record","name":"List","fields":[{"name":"head","type":"string"},{"name":"tail","type":["null","List"]}]}""";
    private const string Empty = """{"type":"record","name":"R","fields":[]}""";
    private const string OneInt = """{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}""";
    private const string OneLong = """{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}""";
    private const string OneText = """{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}""";
    private const string OneIntDefault = """{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":0}]}""";
    private const string TwoInts = """{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}""";
    private const string TwoIntsTurned = """{"type":"record","name":"R","fields":[{"name":"b","type":"int"},{"name":"a","type":"int"}]}""";
    private const string TwoIntsDefault = """{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}""";
    private const string Renamed = """{"type":"record","name":"S","aliases":["R"],"fields":[{"name":"c","aliases":["a"],"type":"int"}]}""";
    private const string RenamedWithoutAlias = """{"type":"record","name":"S","fields":[{"name":"a","type":"int"}]}""";

    private const string Endless =
        """{"type":"record","name":"Chain","fields":[{"name":"head","type":"int"},{"name":"tail","type":"Chain"}]}""";
    private const string EndlessLong =
        """{"type":"record","name":"Chain","fields":[{"name":"head","type":"long"},{"name":"tail","type":"Chain"}]}""";
    private const string OtherFixed = """{"type":"fixed","name":"Y","size":4}""";
    private const string EnumElsewhere = """{"type":"enum","name":"E","namespace":"one","symbols":["A","B"]}""";
    private const string EnumMoved = """{"type":"enum","name":"E","namespace":"two","symbols":["A","B"]}""";
    private const string EnumFieldAbc = """{"type":"record","name":"R","fields":[{"name":"e","type":""" + EnumAbc + "}]}";
    private const string EnumFieldAbDefaultOfField =
        """{"type":"record","name":"R","fields":[{"name":"e","default":"A","type":""" + EnumAb + "}]}";
    private const string EnumFieldAbDefaultOfEnum = """{"type":"record","name":"R","fields":[{"name":"e","type":""" + EnumAbDefault + "}]}";
    private const string InnerHere =
        """
        {"type":"record","name":"R","fields":[{"name":"i","type":["null",{"type":"array","items":{"type":"record","name":"I",
        "namespace":"one","fields":[]}}]}]}
        """;
    private const string InnerElsewhere =
        """
        {"type":"record","name":"R","fields":[{"name":"i","type":["null",{"type":"array","items":{"type":"record","name":"I",
        "namespace":"two","fields":[]}}]}]}
        """;
    private const string FixedField4 = """{"type":"record","name":"R","fields":[{"name":"f","type":""" + Fixed4 + "}]}";
    private const string FixedField8 = """{"type":"record","name":"R","fields":[{"name":"f","type":""" + Fixed8 + "}]}";

    [Fact]
    public void Primitive_is_read_as_itself_and_as_what_it_is_promoted_to()
    {
        foreach (string writer in Primitives)
        {
            foreach (string reader in Primitives)
            {
                IsCompatible($"\"{writer}\"", $"\"{reader}\"").ShouldBe(
                    writer == reader || Promotions.Contains((writer, reader)), $"{writer} read as {reader}");
            }
        }
    }

    [Theory]
    [InlineData(IntArray, LongArray, true)]
    [InlineData(LongArray, IntArray, false)]
    [InlineData(IntArray, IntMap, false)]
    [InlineData(IntMap, LongMap, true)]
    [InlineData(LongMap, IntMap, false)]
    [InlineData(IntMap, IntArray, false)]
    [InlineData(EnumAb, EnumBa, true)]
    [InlineData(EnumAb, EnumAbc, true)]
    [InlineData(EnumAbc, EnumAb, false)]
    [InlineData(EnumAbc, EnumAbDefault, true)]
    [InlineData(EnumAb, OtherEnum, false)]
    [InlineData(EnumAb, "\"string\"", false)]
    [InlineData("\"string\"", EnumAb, false)]
    [InlineData(EnumAb, "\"int\"", false)]
    [InlineData(Fixed4, Fixed4, true)]
    [InlineData(Fixed4, Fixed8, false)]
    [InlineData(Fixed4, "\"bytes\"", false)]
    [InlineData("\"bytes\"", Fixed4, false)]
    [InlineData(Empty, Empty, true)]
    [InlineData(OneInt, Empty, true)]
    [InlineData(Empty, OneInt, false)]
    [InlineData(Empty, OneIntDefault, true)]
    [InlineData(OneInt, OneLong, true)]
    [InlineData(OneLong, OneInt, false)]
    [InlineData(OneInt, OneText, false)]
    [InlineData(OneInt, TwoInts, false)]
    [InlineData(OneInt, TwoIntsDefault, true)]
    [InlineData(TwoInts, OneInt, true)]
    [InlineData(TwoInts, TwoIntsTurned, true)]
    [InlineData(OneInt, Renamed, true)]
    [InlineData(Renamed, OneInt, false)]
    [InlineData(OneInt, RenamedWithoutAlias, false)]
    [InlineData(OneInt, IntMap, false)]
    [InlineData(List, LongList, true)]
    [InlineData(LongList, List, false)]
    [InlineData(List, TextList, false)]
    [InlineData(Endless, EndlessLong, true)]
    [InlineData(EndlessLong, Endless, false)]
    [InlineData(Fixed4, OtherFixed, false)]
    [InlineData(EnumAb, EnumElsewhere, true)]
    [InlineData(EnumElsewhere, EnumAb, true)]
    [InlineData(EnumElsewhere, EnumMoved, true)]
    [InlineData(EnumAbc, EnumMoved, false)]
    [InlineData(EnumFieldAbc, EnumFieldAbDefaultOfField, false)] // the default of a field is for a field that is missing
    [InlineData(EnumFieldAbc, EnumFieldAbDefaultOfEnum, true)]
    [InlineData(Empty, EnumFieldAbDefaultOfEnum, false)] // the default of an enum is for a symbol that is missing
    [InlineData(Empty, EnumFieldAbDefaultOfField, true)]
    [InlineData(InnerHere, InnerElsewhere, true)]
    [InlineData(FixedField4, FixedField8, false)]
    [InlineData(OneInt, "\"int\"", false)]
    [InlineData("\"int\"", OneInt, false)]
    public void Type_is_read_as_one_of_its_kind(string writer, string reader, bool isCompatible) =>
        IsCompatible(writer, reader).ShouldBe(isCompatible);

    [Theory]
    [InlineData("[]", "[]", true)]
    [InlineData("[]", """["int"]""", true)]
    [InlineData("""["int"]""", "[]", false)]
    [InlineData("""["int"]""", "\"int\"", true)]
    [InlineData("\"int\"", """["int"]""", true)]
    [InlineData("""["int"]""", """["long"]""", true)]
    [InlineData("""["long"]""", """["int"]""", false)]
    [InlineData("""["int"]""", """["float","double"]""", true)]
    [InlineData("""["int","long"]""", "\"double\"", true)]
    [InlineData("""["int","string"]""", "\"int\"", false)]
    [InlineData("""["int","string"]""", """["string","int"]""", true)]
    [InlineData("""["int","string"]""", """["bytes","long"]""", true)]
    [InlineData("""["null","int"]""", """["int","null"]""", true)]
    [InlineData("""["null","int"]""", "\"int\"", false)]
    [InlineData("\"int\"", """["null","int"]""", true)]
    [InlineData("\"null\"", """["null","int"]""", true)]
    [InlineData("\"boolean\"", """["null","int"]""", false)]
    [InlineData("""["null",""" + OneInt + "]", """["null",""" + OneLong + "]", true)]
    [InlineData("""["null",""" + OneInt + "]", """["null",""" + OneText + "]", false)]
    [InlineData(OneInt, """["string",""" + OneLong + "]", true)]
    [InlineData("[" + IntArray + """,{"type":"map","values":"int"}]""", "[" + LongMap + "," + LongArray + "]", true)]
    public void Union_is_read_branch_by_branch(string writer, string reader, bool isCompatible) =>
        IsCompatible(writer, reader).ShouldBe(isCompatible);

    // The first that matches, and one of the very type before one that it is promoted to.
    [Theory]
    [InlineData("""["long","int"]""", "Int")]
    [InlineData("""["string","double","long"]""", "Double")]
    [InlineData("""["float","string"]""", "Float")]
    public void Branch_is_the_one_of_the_writers_type_or_the_first_that_takes_it(string reader, string branch) =>
        GeneratedTypes.ValueOf(GeneratedTypes.Read(Record("\"int\""), Record(reader), 14), "V")!.GetType().Name.ShouldBe(branch);

    [Fact]
    public void Union_of_another_order_is_read_as_the_same_values()
    {
        string writer = Record("""["null","string",{"type":"fixed","name":"F","size":2},"int"]""");
        string reader = Record("""["bytes","long",{"type":"fixed","name":"F","size":2},"null"]""");
        Of(2, 2, 97).ShouldBe("Bytes");
        Of(4, 1, 2).ShouldBe("F");
        Of(6, 14).ShouldBe("Long");
        Of(0).ShouldBeNull();

        string? Of(params byte[] bytes) => GeneratedTypes.ValueOf(GeneratedTypes.Read(writer, reader, bytes), "V")?.GetType().Name;
    }

    private static bool IsCompatible(string writer, string reader) =>
        SchemaResolver.Problems(SchemaParser.Parse(reader), SchemaParser.Parse(writer)).Count == 0;

    private static string Record(string type) =>
        $$"""{"type":"record","name":"U","namespace":"T.Rules","fields":[{"name":"v","type":{{type}}}]}""";
}
