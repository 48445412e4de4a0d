using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Embedded.Kafka;

namespace KafkaEventSourcing.Embedded.SchemaRegistry.Tests;

/// <summary>
/// Confluent's interface, seen by Confluent's client and by plain HTTP. The tests share a broker; each has a registry with a topic of its
/// own.
/// </summary>
public sealed class RegistryTests(RegistryTests.Broker broker) : IClassFixture<RegistryTests.Broker>, IAsyncLifetime
{
    private const string V1 = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"}]}""";
    private const string WithDefault =
        """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":""}]}""";
    private const string WithoutDefault =
        """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}""";
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

    // The registry's host took Ctrl-C for itself, beside the application that it is a guest of.
    [Fact]
    public void Registry_leaves_the_signals_of_the_process_to_the_application() => _registry.Lifetime.ShouldBeOfType<GuestLifetime>();

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
        const string WithB =
            """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":""}]}""";
        const string BRequired =
            """{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}""";
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
        var body = new
        {
            schema = """{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":"n.E"}]}""",
            references = new[] { new { name = "n.E", subject = "inner", version = 1 } }
        };
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
    [InlineData("""["null",{"type":"int"},{"type":"array","items":{"type":"long"}}]""",
        """["null","int",{"type":"array","items":"long"}]""")]
    [InlineData("""{"type":"bytes","scale":2,"precision":9,"logicalType":"decimal"}""",
        """{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""")]
    [InlineData("""{"type":"fixed","size":4,"name":"n.m.F","aliases":["n.m.B","k.A"]}""",
        """{"type":"fixed","name":"F","namespace":"n.m","size":4,"aliases":["k.A","B"]}""")]
    [InlineData("""{"type":"enum","name":"E","default":"X","symbols":["X","Y"],"doc":""}""",
        """{"type":"enum","name":"E","symbols":["X","Y"],"default":"X"}""")]
    [InlineData(
        """{"doc":"d","p":1,"name":"n.R","type":"record","fields":[{"order":"ascending","name":"self","type":["null","n.R"],"default":null},{"name":"e","type":{"type":"enum","name":"E","namespace":"n","symbols":["X"]}},{"name":"o","type":{"type":"map","values":{"type":"fixed","name":"o.F","size":1}},"order":"ignore","doc":"f","aliases":["z","y"],"default":{}},{"name":"e2","type":"n.E"}]}""",
        """{"type":"record","name":"R","namespace":"n","doc":"d","fields":[{"name":"self","type":["null","R"],"default":null},{"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}},{"name":"o","type":{"type":"map","values":{"type":"fixed","name":"F","namespace":"o","size":1}},"doc":"f","default":{},"order":"ignore","aliases":["y","z"]},{"name":"e2","type":"E"}],"p":1}""")]
    public async Task Normal_form_is_that_of_Avros_own_writer(string written, string normal)
    {
        HttpResponseMessage answer = await _http.PostAsJsonAsync("/subjects/s/versions?normalize=true", new { schema = written },
            Cancellation);
        string body = await answer.Content.ReadAsStringAsync(Cancellation);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK, body);
        (await _http.GetStringAsync("/subjects/s/versions/1/schema", Cancellation)).ShouldBe(normal);
        (await Register("s", normal, HttpStatusCode.OK))["id"]!.GetValue<int>().ShouldBe(JsonNode.Parse(body)!["id"]!.GetValue<int>());
    }

    // It was "Duplicate schema name": two schemas may refer to one.
    [Fact]
    public async Task Schema_that_is_referred_to_twice_is_read_once()
    {
        static object Reference(string name) => new { name = $"n.{name}", subject = name, version = 1 };
        static string Record(string name, params string[] fields) =>
            $$"""{"type":"record","name":"{{name}}","namespace":"n","fields":[{{string.Join(',', fields.Select(f => $$"""{"name":"{{f}}","type":"n.{{f}}"}"""))}}]}""";
        await Register("D", """{"type":"record","name":"D","namespace":"n","fields":[]}""", HttpStatusCode.OK);
        foreach ((string name, string[] used) in ((string, string[])[])[("B", ["D"]), ("C", ["D"]), ("A", ["B", "C"])])
        {
            HttpResponseMessage answer = await _http.PostAsJsonAsync($"/subjects/{name}/versions",
                new { schema = Record(name, used), references = used.Select(Reference) }, Cancellation);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK, await answer.Content.ReadAsStringAsync(Cancellation));
        }
    }

    // Its level stayed behind, and met whoever used the name again.
    [Fact]
    public async Task Subject_that_is_deleted_for_good_has_no_level_and_no_mode_any_more()
    {
        await _http.PutAsJsonAsync("/config/s", new { compatibility = "NONE" }, Cancellation);
        await _http.PutAsJsonAsync("/mode/s", new { mode = "READWRITE" }, Cancellation);
        await Register("s", V1, HttpStatusCode.OK);
        (await _http.DeleteAsync("/subjects/s", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await _http.DeleteAsync("/subjects/s?permanent=true", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Code("/config/s")).ShouldBe(40408);
        (await Code("/mode/s")).ShouldBe(40409);
    }

    [Theory]
    [InlineData("""{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}""")] // Avro 1.12 has it
    [InlineData("""{"type":"bytes","logicalType":"decimal"}""")] // invalid logical types are to be ignored
    [InlineData("""{"type":"string","logicalType":"date"}""")]
    [InlineData("""{"type":"long","logicalType":"of-our-own"}""")]
    [InlineData("""{"type":"record","name":"E","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal"}}]}""")]
    [InlineData("\"string\"")]
    public async Task Schema_that_the_specification_allows_is_taken(string schema) => await Register("s", schema, HttpStatusCode.OK);

    [Theory]
    [InlineData("""{"type":"enum","name":"E","symbols":["A-B"]}""")]
    [InlineData("""{"type":"enum","name":"E","symbols":["A","A"]}""")]
    [InlineData("""{"type":"enum","name":"E","symbols":["A"],"default":"B"}""")]
    [InlineData("""{"type":"record","name":"1E","fields":[]}""")]
    [InlineData("""{"type":"record","name":"E","fields":[{"name":"a b","type":"int"}]}""")]
    [InlineData("""{"type":"record","name":"E","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}""")]
    [InlineData("""{"type":"record","name":"E","fields":[{"name":"a","type":"F"}]}""")]
    [InlineData("""["int",["null"]]""")]
    [InlineData("""["int","int"]""")]
    [InlineData("""{"type":"fixed","name":"F"}""")]
    [InlineData("7")]
    public async Task Schema_that_the_specification_does_not_allow_is_422_with_code_42201(string schema) =>
        (await Register("s", schema, HttpStatusCode.UnprocessableEntity))["error_code"]!.GetValue<int>().ShouldBe(42201);

    [Fact]
    public async Task Full_name_is_one_however_it_is_written()
    {
        JsonObject divided = await Register("s",
            """{"type":"record","name":"E","namespace":"a.b","fields":[{"name":"e","type":["null","E"]}]}""", HttpStatusCode.OK);
        JsonObject whole = await Register("s", """{"type":"record","name":"a.b.E","fields":[{"name":"e","type":["null","a.b.E"]}]}""",
            HttpStatusCode.OK);
        whole["id"]!.GetValue<int>().ShouldBe(divided["id"]!.GetValue<int>());
        (await Register("s", """{"type":"record","name":"a.E","fields":[{"name":"e","type":["null","a.E"]}]}""",
            HttpStatusCode.OK))["id"]!.GetValue<int>().ShouldNotBe(divided["id"]!.GetValue<int>());
    }

    // What the registry accepted, the reader made its default of, took for another time, or refused.
    [Theory]
    [InlineData("\"long\"", """{"type":"long","logicalType":"timestamp-millis"}""", HttpStatusCode.OK)]
    [InlineData("\"string\"", "\"bytes\"", HttpStatusCode.OK)]
    [InlineData("""{"type":"long","logicalType":"timestamp-millis"}""", """{"type":"long","logicalType":"timestamp-micros"}""",
        HttpStatusCode.OK)]
    [InlineData("""{"type":"long","logicalType":"timestamp-micros"}""", """{"type":"long","logicalType":"timestamp-millis"}""",
        HttpStatusCode.Conflict)]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""",
        """{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}""", HttpStatusCode.Conflict)]
    public async Task Change_of_a_type_is_accepted_where_it_is_read_with_the_same_value(
        string before, string after, HttpStatusCode expected)
    {
        static string Record(string type) => $$"""{"type":"record","name":"R","fields":[{"name":"v","type":{{type}} }]}""";
        await Register("s", Record(before), HttpStatusCode.OK);
        await Register("s", Record(after), expected);
    }

    [Fact]
    public async Task Schema_has_the_GUID_that_Confluents_registry_gives_it()
    {
        JsonObject registered = await Register("s", "\"string\"", HttpStatusCode.OK);
        const string Guid = "095d71cf-1255-6b9d-5e33-0ad575b3df5d"; // the MD5 of its text
        registered["guid"]!.GetValue<string>().ShouldBe(Guid);
        registered["version"]!.GetValue<int>().ShouldBe(1);
        (await _http.GetFromJsonAsync<JsonObject>($"/schemas/guids/{Guid}", Cancellation))!["schema"]!.GetValue<string>().ShouldBe(
            "\"string\"");
        (await _http.GetFromJsonAsync<JsonArray>($"/schemas/guids/{Guid}/ids", Cancellation))!.ToJsonString().ShouldBe(
            $$"""[{"context":".","id":{{registered["id"]}}}]""");
        (await Code($"/schemas/guids/{System.Guid.CreateVersion7()}")).ShouldBe(40403);
        (await Code("/schemas/guids/none")).ShouldBe(40403);
        using var client = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _registry.Url });
        (await client.GetSchemaByGuidAsync(Guid)).SchemaString.ShouldBe("\"string\"");
        (await client.RegisterSchemaWithResponseAsync("s", new Schema("\"string\"", SchemaType.Avro))).Guid.ShouldBe(Guid);
        (await client.LookupSchemaAsync("s", new Schema("\"string\"", SchemaType.Avro), ignoreDeletedSchemas: true)).Guid.ShouldBe(Guid);
    }

    [Fact]
    public async Task Read_only_mode_refuses_to_register()
    {
        (await _http.PutAsJsonAsync("/mode", new { mode = "READONLY" }, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Register("s", V1, HttpStatusCode.UnprocessableEntity))["error_code"]!.GetValue<int>().ShouldBe(42205);
    }

    [Fact]
    public async Task Schema_of_another_kind_is_refused_by_its_name()
    {
        HttpResponseMessage answer = await _http.PostAsJsonAsync("/subjects/s/versions",
            new { schema = """{"type":"object"}""", schemaType = "JSON" }, Cancellation);
        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await answer.Content.ReadAsStringAsync(Cancellation)).ShouldContain("The schema type JSON is not supported; AVRO is.");
    }

    [Fact]
    public async Task Versions_of_an_id_and_contexts_are_told()
    {
        int id = (await Register("s", V1, HttpStatusCode.OK))["id"]!.GetValue<int>();
        await Register("s", WithDefault, HttpStatusCode.OK);
        await Register("t", V1, HttpStatusCode.OK);
        JsonArray versions = (await _http.GetFromJsonAsync<JsonArray>($"/schemas/ids/{id}/versions", Cancellation))!;
        versions.Select(v => $"{v!["subject"]} {v["version"]}").ShouldBe(["s 1", "t 1"], ignoreOrder: true);
        (await _http.GetFromJsonAsync<string[]>("/contexts", Cancellation)).ShouldBe(["."]);
    }

    private async Task Start()
    {
        _registry = await EmbeddedSchemaRegistry.StartAsync(new EmbeddedSchemaRegistryOptions
        {
            BootstrapServers = broker.Kafka.BootstrapServers, Topic = _topic,
        }, cancellationToken: Cancellation);
        _http = new HttpClient { BaseAddress = new Uri(_registry.Url) };
    }

    private async Task<int> Code(string path) => (await (await _http.GetAsync(path, Cancellation)).Content.ReadFromJsonAsync<JsonObject>(
        Cancellation))!["error_code"]!.GetValue<int>();

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
