using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>The HTTP interface of <c>bank run</c>, from outside.</summary>
[Collection(nameof(RunningBankCollection))]
public sealed partial class HttpTests(RunningBank bank)
{
    private static int s_accounts;

    private readonly string _account = $"h{Interlocked.Increment(ref s_accounts)}";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private HttpClient Http => bank.Http;

    [Fact]
    public async Task Command_sent_twice_under_one_key_has_one_effect()
    {
        await Open();
        HttpResponseMessage first = await Credit(50, key: "once");
        HttpResponseMessage second = await Credit(50, key: "once");
        JsonObject one = await Json(first);
        JsonObject two = await Json(second);
        one["version"]!.GetValue<long>().ShouldBe(2);
        one["duplicate"]!.GetValue<bool>().ShouldBeFalse();
        two["duplicate"]!.GetValue<bool>().ShouldBeTrue();
        two["token"]!.GetValue<string>().ShouldBe(one["token"]!.GetValue<string>());
        JsonObject account = await Json(await Http.GetAsync($"/account/{_account}", Cancellation));
        account["version"]!.GetValue<long>().ShouldBe(2);
        account["state"]!["balance"]!.GetValue<long>().ShouldBe(50);
    }

    [Fact]
    public async Task Read_model_with_the_token_of_a_write_has_it()
    {
        await Open();
        for (int i = 1; i <= 20; i++)
        {
            string token = (await Credit(1)).Headers.GetValues("X-Consistency-Token").Single();
            JsonObject account = await Json(await Http.GetAsync($"/models/accounts/{_account}?token={Uri.EscapeDataString(token)}",
                Cancellation));
            account["balance"]!.GetValue<long>().ShouldBe(i);
        }
    }

    [Fact]
    public async Task Pages_of_a_read_model_are_complete_and_in_order()
    {
        await Open();
        string token = "";
        for (int i = 0; i < 25; i++)
            token = (await Credit(1 + i)).Headers.GetValues("X-Consistency-Token").Single();

        var versions = new List<string>();
        string? next = null;
        do
        {
            string after = next is null ? "" : $"&after={Uri.EscapeDataString(next)}";
            JsonObject page = await Json(await Http.GetAsync(
                $"/models/movements?accountId={_account}&limit=10&token={Uri.EscapeDataString(token)}{after}", Cancellation));
            versions.AddRange(page["documents"]!.AsArray().Select(i => i!["_id"]!.GetValue<string>()));
            next = page["next"]?.GetValue<string>();
        }
        while (next is not null);

        versions.ShouldBe(Enumerable.Range(2, 25).Select(v => $"{_account}/{v:D10}"));
    }

    [Fact]
    public async Task Debit_beyond_the_limit_is_422_with_the_numbers()
    {
        await Open();
        JsonObject problem = await Problem(await Post("debit", Movement(5)), HttpStatusCode.UnprocessableEntity, "insufficient-funds");
        problem["details"]!["available"]!.GetValue<string>().ShouldBe("0");
        problem["details"]!["amount"]!.GetValue<string>().ShouldBe("5");
    }

    [Fact]
    public async Task Command_for_a_closed_account_is_422()
    {
        await Open();
        (await Post("close-account", new JsonObject())).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Problem(await Credit(5), HttpStatusCode.UnprocessableEntity, "account-closed");
    }

    [Fact]
    public async Task Expected_version_that_does_not_hold_is_409_with_the_current_one()
    {
        await Open();
        await Credit(5);
        JsonObject problem = await Problem(await Post("credit", Movement(5), ("Expected-Version", "1")), HttpStatusCode.Conflict,
            "version-conflict");
        problem["version"]!.GetValue<long>().ShouldBe(2);
        problem["expected"]!.GetValue<string>().ShouldBe("1");
    }

    [Theory]
    [InlineData("""{"amount":"five"}""", "$.amount")]
    [InlineData("""{"amount":5,"colour":"red"}""", "$.colour")]
    [InlineData("""{"amount":5""", "$")]
    [InlineData("null", "$")]
    public async Task Malformed_body_is_400_and_names_the_field(string body, string field)
    {
        HttpResponseMessage answer = await Http.PostAsync($"/account/{_account}/credit",
            new StringContent(body, Encoding.UTF8, "application/json"), Cancellation);
        JsonObject problem = await Problem(answer, HttpStatusCode.BadRequest, "invalid-input");
        problem["field"]!.GetValue<string>().ShouldStartWith(field);
    }

    [Fact]
    public async Task Body_that_is_not_json_is_415()
    {
        HttpResponseMessage answer = await Http.PostAsync($"/account/{_account}/credit", new StringContent("amount=5"), Cancellation);
        (await Problem(answer, HttpStatusCode.UnsupportedMediaType, "not-json"))["detail"]!.GetValue<string>()
            .ShouldBe("The body must be JSON: send it with the header Content-Type: application/json, not text/plain; charset=utf-8.");
        HttpResponseMessage untyped = await Http.PostAsync($"/account/{_account}/credit", null, Cancellation);
        (await Problem(untyped, HttpStatusCode.UnsupportedMediaType, "not-json"))["detail"]!.GetValue<string>().ShouldContain(
            "Content-Type: application/json, which is missing");
    }

    [Theory]
    [InlineData("%25ff", "%ff")]
    [InlineData("a%2Fb%20c", "a/b c")]
    [InlineData("%C3%A9%F0%9F%98%80", "é😀")]
    public async Task Id_is_what_the_client_escaped(string escaped, string id)
    {
        HttpResponseMessage opened = await Http.PostAsJsonAsync(
            $"/account/{escaped}/open-account", new { owner = "Ada", currency = "EUR", overdraftLimit = 0, openedOn = "2026-01-31" },
            Cancellation);
        (await Json(opened))["aggregateId"]!.GetValue<string>().ShouldBe(id);
        (await Json(await Http.GetAsync($"/account/{escaped}", Cancellation)))["id"]!.GetValue<string>().ShouldBe(id);
        string token = Uri.EscapeDataString(opened.Headers.GetValues("X-Consistency-Token").Single());
        (await Json(await Http.GetAsync($"/models/accounts/{escaped}?token={token}", Cancellation)))["_id"]!.GetValue<string>()
            .ShouldBe(id);
    }

    // They were accounts of their own, which nobody could tell from others.
    [Theory]
    [InlineData("e%CC%81", "U+0301")]
    [InlineData("a%E2%80%8Bb", "U+200B")]
    [InlineData("a%E2%80%AEb", "U+202E")]
    public async Task Command_for_an_id_that_only_looks_like_another_is_400(string escaped, string named) =>
        (await Problem(await Http.PostAsJsonAsync($"/account/{escaped}/credit", Movement(5), Cancellation), HttpStatusCode.BadRequest,
            "invalid-input"))["detail"]!.GetValue<string>().ShouldContain(named);

    [Fact]
    public async Task Lone_surrogate_in_a_body_is_400()
    {
        const string Body = """{"owner":"\ud800","currency":"EUR","overdraftLimit":0,"openedOn":"2026-01-31"}""";
        HttpResponseMessage answer = await Http.PostAsync($"/account/{_account}/open-account",
            new StringContent(Body, Encoding.UTF8, "application/json"), Cancellation);
        await Problem(answer, HttpStatusCode.BadRequest, "invalid-input");
    }

    [Theory]
    [InlineData("limit", "many", "whole number")]
    [InlineData("bookedOn", "yesterday", "a day such as")]
    [InlineData("colour", "red", "not a filter")]
    [InlineData("bookedOn", "2026-01-31", "possible are accountId; accountId and bookedOn; category; category and bookedOn")]
    public async Task Query_parameter_that_is_unusable_is_400_and_named(string name, string value, string says)
    {
        JsonObject problem = await Problem(await Http.GetAsync($"/models/movements?{name}={value}", Cancellation),
            HttpStatusCode.BadRequest, "invalid-input");
        problem["field"]!.GetValue<string>().ShouldBe(name);
        problem["detail"]!.GetValue<string>().ShouldContain(says);
    }

    [Fact]
    public async Task Body_of_10_MB_is_413_and_the_process_lives_on()
    {
        using var content = new ByteArrayContent(new byte[10 * 1024 * 1024]);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/account/{_account}/credit") { Content = content };
        request.Headers.ExpectContinue = true;
        (await Http.SendAsync(request, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        await Open();
    }

    [Fact]
    public async Task Over_long_id_is_400_and_says_how_long_it_may_be()
    {
        HttpResponseMessage answer = await Http.PostAsJsonAsync($"/account/{new string('x', 300)}/credit", Movement(5), Cancellation);
        (await Problem(answer, HttpStatusCode.BadRequest, "invalid-input"))["detail"]!.GetValue<string>().ShouldContain("256");
    }

    [Theory]
    [InlineData("Expected-Version", "soon")]
    [InlineData("Idempotency-Key", "")]
    [InlineData("X-Correlation-Id", "")]
    [InlineData("If-Match", "\"1\"")]
    public async Task Unusable_header_is_400_and_named(string name, string value) =>
        (await Problem(await Post("credit", Movement(5), (name, value)), HttpStatusCode.BadRequest,
            "invalid-input"))["field"]!.GetValue<string>().ShouldBe(name);

    // HttpClient would make one line of them.
    [Fact]
    public async Task Header_that_is_given_twice_is_400_as_one_of_them_would_be_meant()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Http.BaseAddress!.Host, Http.BaseAddress.Port, Cancellation);
        string request = $"POST /account/{_account}/credit HTTP/1.1\r\nHost: bank\r\nIdempotency-Key: a\r\nIdempotency-Key: "
            + $"b\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}";
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), Cancellation);
        using var reader = new StreamReader(client.GetStream());
        string answer = await reader.ReadToEndAsync(Cancellation);
        answer.ShouldStartWith("HTTP/1.1 400 ");
        answer.ShouldContain("The header Idempotency-Key is given 2 times");
    }

    [Fact]
    public async Task Read_with_a_parameter_that_is_none_is_400_and_names_it() =>
        (await Problem(await Http.GetAsync($"/account/{_account}?tokn=1@1", Cancellation), HttpStatusCode.BadRequest,
            "invalid-input"))["field"]!.GetValue<string>().ShouldBe("tokn");

    [Fact]
    public async Task Command_with_a_query_parameter_is_400_and_names_it() =>
        (await Problem(await Http.PostAsJsonAsync($"/account/{_account}/credit?dryRun=true", Movement(5), Cancellation),
            HttpStatusCode.BadRequest, "invalid-input"))["field"]!.GetValue<string>().ShouldBe("dryRun");

    [Theory]
    [InlineData("/account/nobody", HttpStatusCode.NotFound)]
    [InlineData("/models/accounts/nobody", HttpStatusCode.NotFound)]
    [InlineData("/models/no-such-model", HttpStatusCode.NotFound)]
    [InlineData("/models/accounts?limit=0", HttpStatusCode.BadRequest)]
    [InlineData("/models/accounts?limit=many", HttpStatusCode.BadRequest)]
    [InlineData("/models/accounts?token=later", HttpStatusCode.BadRequest)]
    [InlineData("/models/accounts?token=99@1", HttpStatusCode.BadRequest)] // it waited for its time-out, for an event that cannot come
    [InlineData("/account/a?token=99@1", HttpStatusCode.BadRequest)]
    [InlineData("/models/movements?amount=5", HttpStatusCode.BadRequest)]
    [InlineData("/health/live", HttpStatusCode.OK)]
    [InlineData("/health/ready", HttpStatusCode.OK)]
    [InlineData("/docs", HttpStatusCode.OK)]
    [InlineData("/", HttpStatusCode.OK)] // it leads to /docs
    public async Task Get_answers_with_the_right_status(string path, HttpStatusCode status) =>
        (await Http.GetAsync(path, Cancellation)).StatusCode.ShouldBe(status);

    [Fact]
    public async Task Metrics_count_commands()
    {
        await Open();
        string token = (await Credit(1)).Headers.GetValues("X-Consistency-Token").Single();
        // read models are kept by now
        (await Http.GetAsync($"/models/accounts/{_account}?token={Uri.EscapeDataString(token)}", Cancellation)).StatusCode.ShouldBe(
            HttpStatusCode.OK);
        string metrics = await Http.GetStringAsync("/metrics", Cancellation);
        string told = string.Join('\n', metrics.Split('\n').Where(l => l.Contains("kes_", StringComparison.Ordinal)));
        CommandsMetric().IsMatch(told).ShouldBeTrue(told);
        foreach (string name in (string[])["kes_partitions", "kes_waiting_bytes", "kes_restore_estimate_seconds", "kes_parked_aggregates",
            "kes_parked_records", "kes_subscription_delay_seconds"])
            told.ShouldContain($"# TYPE {name} gauge");
        told.ShouldContain("# TYPE kes_batch_duration_seconds histogram");
    }

    [Fact]
    public async Task OpenApi_examples_of_commands_are_taken_as_they_stand()
    {
        JsonObject[] commands = [.. (await Operations()).Select(o => o.Operation).Where(o =>
            o["operationId"]?.GetValue<string>().StartsWith("command.account.", StringComparison.Ordinal) == true)];
        commands.Length.ShouldBe(7);
        foreach (string command in (string[])["open-account", "credit", "debit", "freeze-account", "unfreeze-account",
            "set-overdraft-limit"])
        {
            JsonNode content = commands.Single(o =>
                o["operationId"]!.GetValue<string>() == $"command.account.{command}")["requestBody"]!["content"]!["application/json"]!;
            // The example {} is left out of the document; a command that has fields is refused without them.
            HttpResponseMessage answer = await Post(command, content["example"]?.AsObject() ?? []);
            JsonObject outcome = await Json(answer);
            outcome.Select(p => p.Key).ShouldBe(["commandId", "aggregateId", "version", "token", "duplicate"]);
        }

        commands.ShouldAllBe(o => o["responses"]!["200"]!["content"]!["application/json"]!["example"]!["token"] != null);
        commands.ShouldAllBe(o => o["parameters"]!.AsArray().All(p => p!["description"] != null));
    }

    [Fact]
    public async Task OpenApi_read_models_have_filters_paging_token_and_examples_of_their_own_shape()
    {
        (string Path, JsonObject Operation)[] operations = await Operations();
        JsonObject list = operations.Single(o => o.Path == "/models/movements").Operation;
        list["parameters"]!.AsArray().Select(p => $"{p!["in"]} {p["name"]} {p["schema"]!["type"]}").ShouldBe(
            ["query accountId string", "query bookedOn string", "query category string", "query limit integer", "query after string",
                "query token string", "header X-Consistency-Token string"]);
        list["parameters"]![1]!["schema"]!["format"]!.GetValue<string>().ShouldBe("date");

        await Open();
        string token = (await Credit(1)).Headers.GetValues("X-Consistency-Token").Single();
        foreach (string model in (string[])["accounts", "statements", "movements", "daily_totals"])
        {
            JsonNode content = operations.Single(o =>
                o.Path == $"/models/{model}").Operation["responses"]!["200"]!["content"]!["application/json"]!;
            JsonObject example = content["example"]!["documents"]![0]!.AsObject();
            JsonObject stored = (await Json(await Http.GetAsync($"/models/{model}?limit=1&token={Uri.EscapeDataString(token)}",
                Cancellation)))["documents"]![0]!.AsObject();
            stored.Select(p => p.Key).Order().ShouldBe(example.Select(p => p.Key).Order(), model);
            content["schema"]!["properties"]!["documents"]!["items"]!["properties"]!.AsObject().Select(p => p.Key).Order().ShouldBe(
                stored.Select(p => p.Key).Order(), model);
        }
    }

    [Fact]
    public async Task Filter_is_compared_by_the_type_of_its_field()
    {
        await Open();
        string token = (await Credit(1)).Headers.GetValues("X-Consistency-Token").Single();
        foreach ((string day, int count) in (IEnumerable<(string, int)>)[("2026-03-01", 1), ("2026-03-01T00:00:00Z", 1), ("2026-03-02", 0)])
        {
            JsonObject page = await Json(await Http.GetAsync(
                $"/models/movements?accountId={_account}&bookedOn={day}&token={Uri.EscapeDataString(token)}", Cancellation));
            page["documents"]!.AsArray().Count.ShouldBe(count, day);
        }
    }

    private async Task<(string Path, JsonObject Operation)[]> Operations()
    {
        JsonObject openApi = (await Http.GetFromJsonAsync<JsonObject>("/openapi.json", Cancellation))!;
        return [.. openApi["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject().Select(o => (p.Key, o.Value!.AsObject())))];
    }

    private static JsonObject Movement(long amount) => new()
    {
        ["amount"] = amount, ["currency"] = "EUR", ["bookedOn"] = "2026-03-01", ["operation"] = "CashDeposit", ["category"] = "None",
    };

    private static async Task<JsonObject> Json(HttpResponseMessage answer) =>
        JsonNode.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Cancellation))!.AsObject();

    internal static async Task<JsonObject> Problem(HttpResponseMessage answer, HttpStatusCode status, string code)
    {
        string body = await answer.Content.ReadAsStringAsync(Cancellation);
        answer.StatusCode.ShouldBe(status, body);
        JsonObject problem = JsonNode.Parse(body)!.AsObject();
        problem["code"]!.GetValue<string>().ShouldBe(code);
        return problem;
    }

    private async Task Open() =>
        (await Post("open-account", new JsonObject
        {
            ["owner"] = "Ada",
            ["currency"] = "EUR",
            ["overdraftLimit"] = 0,
            ["openedOn"] = "2026-01-31",
        })).EnsureSuccessStatusCode();

    private Task<HttpResponseMessage> Credit(long amount, string? key = null) =>
        Post("credit", Movement(amount), key is null ? [] : [("Idempotency-Key", key)]);

    private async Task<HttpResponseMessage> Post(string command, JsonObject body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/account/{_account}/{command}")
        {
            Content = JsonContent.Create(body),
        };
        foreach ((string name, string value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await Http.SendAsync(request, Cancellation);
    }

    [GeneratedRegex("""(?m)^kes_commands_total\{[^}]*aggregate="account"[^}]*\} [1-9]""")]
    private static partial Regex CommandsMetric();
}
