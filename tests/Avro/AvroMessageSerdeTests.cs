using System.Buffers;
using System.Reflection;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro.Tests.Evolution;

namespace KafkaEventSourcing.Avro.Tests;

/// <summary>Messages of schemas that a registry knows: by id, by GUID, by reference, under a former name.</summary>
public sealed class AvroMessageSerdeTests
{
    private const string Now =
        """{"type":"record","name":"Set","namespace":"T.Serde","aliases":["Old"],"fields":[{"name":"v","type":{"type":"record","name":"M","fields":[{"name":"q","type":"int"}]}}]}""";
    private const string ByReference =
        """{"type":"record","name":"Set","namespace":"T.Serde","fields":[{"name":"v","type":"T.Serde.M"}]}""";
    private const string Referenced = """{"type":"record","name":"M","namespace":"T.Serde","fields":[{"name":"q","type":"int"}]}""";

    private static readonly Guid Guid = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");

    // A schema that refers to another was "incompatible", and its messages were parked.
    [Fact]
    public void Schema_that_refers_to_another_is_read()
    {
        AvroMessageSerde serde = Serde(new Schema(ByReference, [new SchemaReference("T.Serde.M", "m", 1)], SchemaType.Avro));
        QuantityOf(serde.Decode([0, 0, 0, 0, 7, 14])).ShouldBe(7);
    }

    [Fact]
    public void Message_is_read_by_the_id_or_the_GUID_in_its_header_or_before_its_value()
    {
        AvroMessageSerde serde = Serde(new Schema(Now, SchemaType.Avro));
        QuantityOf(serde.Decode([14], [0, 0, 0, 0, 7])).ShouldBe(7);
        byte[] guid = [1, .. Guid.ToByteArray(bigEndian: true)];
        QuantityOf(serde.Decode([14], guid)).ShouldBe(7);
        QuantityOf(serde.Decode([.. guid, 14])).ShouldBe(7);
        QuantityOf(serde.Decode([14], guid)).ShouldBe(7);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 7 })]
    [InlineData(new byte[] { 1, 0, 0, 0, 7 })]
    [InlineData(new byte[] { 2, 0, 0, 0, 7 })]
    [InlineData(new byte[] { 0, 0, 0, 0, 7, 7 })]
    public void Header_that_names_no_schema_is_told(byte[] header) =>
        Should.Throw<UndecodableMessageException>(() => Serde(new Schema(Now, SchemaType.Avro)).Decode([14], header)).Message.ShouldContain(
            $"__value_schema_id has {header.Length} bytes");

    [Fact]
    public void Type_is_found_under_a_name_that_it_had()
    {
        QuantityOf(Serde(new Schema(Now.Replace("\"Set\"", "\"Old\"", StringComparison.Ordinal), SchemaType.Avro)).Decode(
            [0, 0, 0, 0, 7, 14])).ShouldBe(7);
        Should.Throw<UndecodableMessageException>(() =>
            Serde(new Schema(Now.Replace("\"Set\"", "\"Other\"", StringComparison.Ordinal), SchemaType.Avro)).Decode([0, 0, 0, 0, 7, 14]))
            .Reason.ShouldBe(UndecodableReason.UnknownType);
    }

    [Fact]
    public void Schema_that_cannot_be_read_is_told_with_the_field()
    {
        string other = Now.Replace("\"int\"", "\"string\"", StringComparison.Ordinal);
        UndecodableMessageException refused = Should.Throw<UndecodableMessageException>(() =>
            Serde(new Schema(other, SchemaType.Avro)).Decode([0, 0, 0, 0, 7, 14]));
        refused.Reason.ShouldBe(UndecodableReason.IncompatibleSchema);
        refused.Message.ShouldBe("The schema 7 cannot be read as T.Serde.Set: /v/q: string cannot be read as int");
    }

    private static AvroMessageSerde Serde(Schema schema)
    {
        ISchemaRegistryClient registry = DispatchProxy.Create<ISchemaRegistryClient, Registry>();
        ((Registry)(object)registry).Schema = schema;
        return AvroMessageSerde.Create(registry, [GeneratedTypes.Of(Now)["T.Serde.Set"]]);
    }

    private static object? QuantityOf(IAvroRecord set) => GeneratedTypes.ValueOf((IAvroRecord)GeneratedTypes.ValueOf(set, "V")!, "Q");

    /// <summary>A registry with the schema 7, and version 1 of the subject m.</summary>
    public class Registry : DispatchProxy
    {
        public Schema Schema { get; set; } = null!;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => (targetMethod!.Name, args) switch
        {
            (nameof(ISchemaRegistryClient.GetSchemaAsync), [7, _]) => Task.FromResult(Schema),
            (nameof(ISchemaRegistryClient.GetSchemaByGuidAsync), [string guid, _]) when guid == Guid.ToString() => Task.FromResult(Schema),
            (nameof(ISchemaRegistryClient.GetRegisteredSchemaAsync), ["m", 1, _]) =>
                Task.FromResult(new RegisteredSchema("m", 1, 3, Referenced, SchemaType.Avro, [])),
            _ => throw new NotSupportedException(targetMethod.Name),
        };
    }
}
