using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Avro.IO;
using Avro.Specific;
using KafkaEventSourcing.Avro.Generator;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.Avro.Tests.Evolution;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace KafkaEventSourcing.Avro.Tests.Fuzz;

/// <summary>
/// Every schema is either refused with an error of the generator's at its file, or becomes types that compile, whose values are read as
/// they were written: in Avro, in JSON, and by Apache Avro's writer. KES_FUZZ_SCHEMAS is how many schemas, 100 when it is not set;
/// KES_SCHEMA_SEED is where to begin.
/// </summary>
public sealed class GeneratorFuzzTests(ITestOutputHelper output)
{
    private const int SchemasPerAssembly = 100;
    private const int ValuesPerType = 3;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, Converters = { new JsonStringEnumConverter() },
    };

    [Fact]
    public void Schema_is_refused_at_its_file_or_its_values_are_read_as_they_were_written()
    {
        int schemas = Number("KES_FUZZ_SCHEMAS", 100);
        int seed = Number("KES_SCHEMA_SEED", 1);
        int refused = 0, taken = 0, values = 0;
        for (int done = 0; done < schemas; seed++)
        {
            var random = new Random(seed);
            var good = new List<string>();
            var names = new HashSet<string>();
            for (int i = 0; i < Math.Min(SchemasPerAssembly, schemas - done); i++)
            {
                string schema = new RandomSchema(random, $"T{i}").Make();
                if (IsRefused(schema, $"seed {seed}\n{schema}"))
                    refused++;
                else if (!names.Overlaps(NamesOf(SchemaParser.Parse(schema), []))) // a spoiled namespace may be that of another file
                {
                    good.Add(schema);
                    names.UnionWith(NamesOf(SchemaParser.Parse(schema), []));
                }
            }

            done += SchemasPerAssembly;
            taken += good.Count;
            GeneratedTypes types = GeneratedTypes.Of([.. good]);
            foreach (string schema in good)
                values += Check(types, schema, random, $"seed {seed}\n{schema}");
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{taken} schemas taken, {refused} refused; {values} values."));
        taken.ShouldBeGreaterThan(schemas / 4);
        refused.ShouldBeGreaterThan(schemas / 10);
    }

    private static bool IsRefused(string schema, string what)
    {
        GeneratorRunResult result = CSharpGeneratorDriver.Create(new AvroGenerator())
            .AddAdditionalTexts([new GeneratedTypes.SchemaText("f.avsc", schema)])
            .RunGenerators(CSharpCompilation.Create("Fuzz"), TestContext.Current.CancellationToken).GetRunResult().Results.Single();
        result.Exception.ShouldBeNull(what);
        foreach (Diagnostic error in result.Diagnostics)
        {
            error.Id.ShouldStartWith("KESAVRO", customMessage: what);
            error.Location.GetLineSpan().Path.ShouldBe("f.avsc", what);
        }

        return !result.Diagnostics.IsEmpty;
    }

    private static int Check(GeneratedTypes types, string schema, Random random, string what)
    {
        int values = 0;
        foreach (string fullName in RecordsOf(SchemaParser.Parse(schema), []))
        {
            AvroRecordType type = types[fullName];
            Activator.CreateInstance(type.Type).ShouldNotBeNull(what);
            if (!RandomValue.HasValues(type.Parsed))
                continue;
            for (int i = 0; i < ValuesPerType; i++, values++)
            {
                var buffer = new ArrayBufferWriter<byte>();
                var writer = new AvroWriter(buffer);
                RandomValue.Write(ref writer, type.Parsed, random);
                writer.Flush();
                CheckValue(type, buffer.WrittenSpan.ToArray(), $"{what}\n{fullName} {Convert.ToHexString(buffer.WrittenSpan)}");
            }
        }

        return values;
    }

    private static void CheckValue(AvroRecordType type, byte[] bytes, string what)
    {
        IAvroRecord value = type.Read(bytes);
        Encode(value).ShouldBe(bytes, what);
        IAvroRecord again = type.Read(bytes);
        again.Equals(value).ShouldBeTrue(what);
        again.GetHashCode().ShouldBe(value.GetHashCode(), what);
        var resolution = (RecordResolution)SchemaResolver.Resolve(type.Parsed, type.Parsed).Resolution;
        AvroRecordType.Read(bytes, ResolvedReader.Compile(resolution, type.Type)).Equals(value).ShouldBeTrue(what);
        string json = JsonSerializer.Serialize(value, type.Type, Json);
        JsonSerializer.Deserialize(json, type.Type, Json)!.Equals(value).ShouldBeTrue($"{what}\n{json}");
        if (AvroRecordType.ForApache(type.SchemaJson) is not null && IsToldApartByApache(type.Parsed, []))
        {
            using var stream = new MemoryStream();
            new SpecificDefaultWriter(type.Schema).Write(value, new BinaryEncoder(stream));
            stream.ToArray().ShouldBe(bytes, what);
        }
    }

    private static byte[] Encode(IAvroRecord value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        value.WriteTo(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    // Its writer takes bytes for an array, and any enum that has a symbol of the name.
    private static bool IsToldApartByApache(AvroSchema schema, HashSet<RecordSchema> seen) => schema switch
    {
        UnionSchema union => union.Branches.Count(b => b is EnumSchema) < 2
            && !(union.Branches.Any(b => b is ArraySchema) && union.Branches.Any(b => b is ArraySchema || b.Kind == SchemaKind.Bytes))
            && union.Branches.All(b => IsToldApartByApache(b, seen)),
        ArraySchema array => IsToldApartByApache(array.Items, seen),
        MapSchema map => IsToldApartByApache(map.Values, seen),
        RecordSchema record => !seen.Add(record) || record.Fields.All(f => IsToldApartByApache(f.Schema, seen)),
        _ => true,
    };

    private static IEnumerable<string> NamesOf(AvroSchema schema, HashSet<NamedSchema> seen) => schema switch
    {
        RecordSchema record when seen.Add(record) => record.Fields.SelectMany(f => NamesOf(f.Schema, seen)).Prepend(record.FullName),
        NamedSchema named => [named.FullName],
        ArraySchema array => NamesOf(array.Items, seen),
        MapSchema map => NamesOf(map.Values, seen),
        UnionSchema union => union.Branches.SelectMany(b => NamesOf(b, seen)),
        _ => [],
    };

    private static IEnumerable<string> RecordsOf(AvroSchema schema, HashSet<RecordSchema> seen) => schema switch
    {
        RecordSchema record when seen.Add(record) => record.Fields.SelectMany(f => RecordsOf(f.Schema, seen)).Prepend(record.FullName),
        ArraySchema array => RecordsOf(array.Items, seen),
        MapSchema map => RecordsOf(map.Values, seen),
        UnionSchema union => union.Branches.SelectMany(b => RecordsOf(b, seen)),
        _ => [],
    };

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : otherwise;
}
