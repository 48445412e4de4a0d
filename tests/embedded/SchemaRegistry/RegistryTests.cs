using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Embedded.Kafka;

namespace KafkaEventSourcing.Embedded.SchemaRegistry.Tests;

/// <summary>Confluent's interface, seen by Confluent's client and by plain HTTP. The tests share a broker; each has a registry with a topic of its own.</summary>
public sealed class RegistryTests(RegistryTests.Broker broker) : IClassFixture<RegistryTests.Broker>, IAsyncLifetime
{
    private const string V1 = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"}]}""";
    private const string WithDefault = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":""}]}""";
    private const string WithoutDefault = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}""";
    private const string Wider = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"long"}]}""";
    private const string Other = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"string"}]}""";

    private static int s_topics;

    private readonly string _topic = $"_schemas-{Interlocked.Increment(ref s_topics)}";
    private EmbeddedSchemaRegistry _registry = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Start();

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _registry.DisposeAsync();
    }

    [Fact]
    public async Task Confluents_client_registers_and_reads_back()
    {
        using var client = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _registry.Url });
        int id = await client.RegisterSchemaAsync("s", new Schema(V1, SchemaType.Avro));
        (await client.RegisterSchemaAsync("other", new Schema(V1, SchemaType.Avro))).ShouldBe(id);
        int second = await client.RegisterSchemaAsync("s", new Schema(WithDefault, SchemaType.Avro));
        second.ShouldNotBe(id);
        (await client.GetSubjectVersionsAsync("s")).ShouldBe([1, 2]);
        (await client.GetAllSubjectsAsync()).ShouldBe(["other", "s"], ignoreOrder: true);
        JsonNode.DeepEquals(JsonNode.Parse((await client.GetSchemaAsync(id)).SchemaString), JsonNode.Parse(V1)).ShouldBeTrue();
        (await client.GetLatestSchemaAsync("s")).Id.ShouldBe(second);
        (await client.IsCompatibleAsync("s", new Schema(Other, SchemaType.Avro))).ShouldBeFalse();
    }

    [Theory]
    [InlineData("NONE", Other, true)]
    [InlineData("BACKWARD", WithDefault, true)]
    [InlineData("BACKWARD", WithoutDefault, false)]
    [InlineData("BACKWARD", Wider, true)]
    [InlineData("BACKWARD", Other, false)]
    [InlineData("FORWARD", WithoutDefault, true)]
    [InlineData("FORWARD", Wider, false)]
    [InlineData("FULL", WithDefault, true)]
    [InlineData("FULL", WithoutDefault, false)]
    [InlineData("FULL", Wider, false)]
    [InlineData("BACKWARD_TRANSITIVE", WithDefault, true)]
    [InlineData("FORWARD_TRANSITIVE", Wider, false)]
    [InlineData("FULL_TRANSITIVE", WithDefault, true)]
    public async Task Level_decides_what_may_follow(string level, string next, bool accepted)
    {
        await Register("s", V1, HttpStatusCode.OK);
        (await _http.PutAsJsonAsync("/config/s", new { compatibility = level }, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        JsonObject answer = await Register("s", next, accepted ? HttpStatusCode.OK : HttpStatusCode.Conflict);
        if (!accepted)
            answer["error_code"]!.GetValue<int>().ShouldBe(409);
    }

    [Fact]
    public async Task Transitive_level_looks_at_all_versions_and_the_plain_one_at_the_last()
    {
        const string WithB = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":""}]}""";
        const string BRequired = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}""";
        await Register("s", V1, HttpStatusCode.OK);
        await Register("s", WithB, HttpStatusCode.OK);
        await _http.PutAsJsonAsync("/config/s", new { compatibility = "BACKWARD_TRANSITIVE" }, Cancellation);
        await Register("s", BRequired, HttpStatusCode.Conflict);
        await _http.PutAsJsonAsync("/config/s", new { compatibility = "BACKWARD" }, Cancellation);
        await Register("s", BRequired, HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("/schemas/ids/999", HttpStatusCode.NotFound, 40403)]
    [InlineData("/subjects/none/versions", HttpStatusCode.NotFound, 40401)]
    [InlineData("/subjects/s/versions/9", HttpStatusCode.NotFound, 40402)]
    [InlineData("/subjects/s/versions/nine", HttpStatusCode.UnprocessableEntity, 42202)]
    [InlineData("/config/none", HttpStatusCode.NotFound, 40408)]
    public async Task What_is_not_there_has_the_code_of_Confluent(string path, HttpStatusCode status, int code)
    {
        await Register("s", V1, HttpStatusCode.OK);
        HttpResponseMessage answer = await _http.GetAsync(path, Cancellation);
        answer.StatusCode.ShouldBe(status);
        (await answer.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!["error_code"]!.GetValue<int>().ShouldBe(code);
    }

    [Fact]
    public async Task Schema_that_is_none_is_422_with_code_42201() =>
        (await Register("s", """{"type":"record"}""", HttpStatusCode.UnprocessableEntity))["error_code"]!.GetValue<int>().ShouldBe(42201);

    [Fact]
    public async Task Schemas_survive_a_restart_with_their_ids()
    {
        int id = (await Register("s", V1, HttpStatusCode.OK))["id"]!.GetValue<int>();
        _http.Dispose();
        await _registry.DisposeAsync();
        await Start();
        (await Register("s", V1, HttpStatusCode.OK))["id"]!.GetValue<int>().ShouldBe(id);
        (await Register("s", WithDefault, HttpStatusCode.OK))["id"]!.GetValue<int>().ShouldBe(id + 1);
    }

    [Fact]
    public async Task Referenced_schema_is_resolved_and_cannot_be_deleted()
    {
        await Register("inner", """{"type":"enum","name":"E","namespace":"n","symbols":["X"]}""", HttpStatusCode.OK);
        var body = new { schema = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":"n.E"}]}""", references = new[] { new { name = "n.E", subject = "inner", version = 1 } } };
        (await _http.PostAsJsonAsync("/subjects/outer/versions", body, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        HttpResponseMessage refused = await _http.DeleteAsync("/subjects/inner/versions/1", Cancellation);
        refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await refused.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!["error_code"]!.GetValue<int>().ShouldBe(42206);
    }

    // The registry kept the text as it was sent when it was asked to normalize it (Confluent's .NET suite, RegisterNormalizedSchema).
    [Fact]
    public async Task Schema_that_is_to_be_normalized_is_kept_and_found_in_the_normal_form()
    {
        const string Written = """{"fields":[{"type":{"type":"string"},"name":"a"}],"namespace":"n","type":"record","name":"R"}""";
        const string Normal = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"string"}]}""";
        using var client = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _registry.Url });
        int id = await client.RegisterSchemaAsync("s", new Schema(Written, SchemaType.Avro), normalize: true);
        (await client.GetSchemaAsync(id)).SchemaString.ShouldBe(Normal);
        (await client.GetSchemaIdAsync("s", new Schema(Written, SchemaType.Avro), normalize: true)).ShouldBe(id);
        (await Register("s", Normal, HttpStatusCode.OK))["id"]!.GetValue<int>().ShouldBe(id);
        (await Register("s", Written, HttpStatusCode.OK))["id"]!.GetValue<int>().ShouldNotBe(id);
    }

    [Theory]
    [InlineData("""{ "type": "string" }""", "\"string\"")]
    [InlineData("""{"type":"string","p":{"b":1,"a":2}}""", """{"type":"string","p":{"a":2,"b":1}}""")]
    [InlineData("""["null",{"type":"int"},{"type":"array","items":{"type":"long"}}]""", """["null","int",{"type":"array","items":"long"}]""")]
    [InlineData("""{"type":"bytes","scale":2,"precision":9,"logicalType":"decimal"}""", """{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""")]
    [InlineData("""{"type":"fixed","size":4,"name":"n.m.F","aliases":["n.m.B","k.A"]}""", """{"type":"fixed","name":"F","namespace":"n.m","size":4,"aliases":["k.A","B"]}""")]
    [InlineData("""{"type":"enum","name":"E","default":"X","symbols":["X","Y"],"doc":""}""", """{"type":"enum","name":"E","symbols":["X","Y"],"default":"X"}""")]
    [InlineData(
        """{"doc":"d","p":1,"name":"n.R","type":"record","fields":[{"order":"ascending","name":"self","type":["null","n.R"],"default":null},{"name":"e","type":{"type":"enum","name":"E","namespace":"n","symbols":["X"]}},{"name":"o","type":{"type":"map","values":{"type":"fixed","name":"o.F","size":1}},"order":"ignore","doc":"f","aliases":["z","y"],"default":{}},{"name":"e2","type":"n.E"}]}""",
        """{"type":"record","name":"R","namespace":"n","doc":"d","fields":[{"name":"self","type":["null","R"],"default":null},{"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}},{"name":"o","type":{"type":"map","values":{"type":"fixed","name":"F","namespace":"o","size":1}},"doc":"f","default":{},"order":"ignore","aliases":["y","z"]},{"name":"e2","type":"E"}],"p":1}""")]
    public async Task Normal_form_is_that_of_Avros_own_writer(string written, string normal)
    {
        HttpResponseMessage answer = await _http.PostAsJsonAsync("/subjects/s/versions?normalize=true", new { schema = written }, Cancellation);
        string body = await answer.Content.ReadAsStringAsync(Cancellation);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK, body);
        (await _http.GetStringAsync("/subjects/s/versions/1/schema", Cancellation)).ShouldBe(normal);
        (await Register("s", normal, HttpStatusCode.OK))["id"]!.GetValue<int>().ShouldBe(JsonNode.Parse(body)!["id"]!.GetValue<int>());
    }

    [Fact]
    public async Task Read_only_mode_refuses_to_register()
    {
        (await _http.PutAsJsonAsync("/mode", new { mode = "READONLY" }, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Register("s", V1, HttpStatusCode.UnprocessableEntity))["error_code"]!.GetValue<int>().ShouldBe(42205);
    }

    private async Task Start()
    {
        _registry = await EmbeddedSchemaRegistry.StartAsync(new EmbeddedSchemaRegistryOptions { BootstrapServers = broker.Kafka.BootstrapServers, Topic = _topic }, cancellationToken: Cancellation);
        _http = new HttpClient { BaseAddress = new Uri(_registry.Url) };
    }

    private async Task<JsonObject> Register(string subject, string schema, HttpStatusCode expected)
    {
        HttpResponseMessage answer = await _http.PostAsJsonAsync($"/subjects/{subject}/versions", new { schema }, Cancellation);
        string body = await answer.Content.ReadAsStringAsync(Cancellation);
        answer.StatusCode.ShouldBe(expected, body);
        return JsonNode.Parse(body)!.AsObject();
    }

    /// <summary>The broker that keeps the schemas.</summary>
    public sealed class Broker : IAsyncLifetime
    {
        public EmbeddedKafka Kafka { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Kafka = await EmbeddedKafka.StartAsync(new EmbeddedKafkaOptions());

        public ValueTask DisposeAsync() => Kafka.DisposeAsync();
    }
}
